// Between JavaScript's values and the engine's.
#pragma once

#include <napi.h>

#include "core/data.h"
#include "core/error.h"

namespace talweg::addon {

// Plain data: numbers, strings, booleans, null, arrays, objects; a typed array becomes its bytes.
Data toData(const Napi::Value& value);

// A JavaScript error with the engine's code.
Napi::Error toError(Napi::Env env, const std::string& code, const std::string& message);
// The error in flight, whatever it is.
Napi::Error currentError(Napi::Env env);

// Runs a callback of JavaScript's so that every exception becomes a JavaScript error.
template <class Action>
auto guarded(Napi::Env env, const Action& action) {
  try {
    return action();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw currentError(env);
  }
}

}  // namespace talweg::addon
