#include "addon/convert.h"

namespace talweg::addon {
Napi::Error toError(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

Napi::Error currentError(Napi::Env env) {
  try {
    throw;
  } catch (const EngineError& error) {
    return toError(env, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return toError(env, "DOES_NOT_FIT", "the system refused memory");
  } catch (const std::exception& error) {
    return toError(env, "ENGINE_FAILED", error.what());
  }
}

}  // namespace talweg::addon
