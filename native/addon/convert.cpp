#include "addon/convert.h"

namespace talweg::addon {

Span spanOf(const Napi::Value& value) {
  const auto array = value.As<Napi::TypedArray>();
  return {static_cast<char*>(array.ArrayBuffer().Data()) + array.ByteOffset(), array.ByteLength()};
}

ByteSpan bytesOf(const Napi::Value& value) {
  const Span span = spanOf(value);
  return {reinterpret_cast<const std::uint8_t*>(span.data), span.sizeBytes};
}

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
