// Promises that are settled by other threads.
#pragma once

#include <napi.h>

#include <exception>
#include <functional>

namespace talweg::addon {

// Made on another thread, called on Node's: gives a promise's value, or throws.
using Result = std::function<Napi::Value(Napi::Env)>;
// A result that throws.
Result failure(std::exception_ptr error);

class Promises {
 public:
  // To be called once, from any thread.
  using Settle = std::function<void(Result)>;

  explicit Promises(Napi::Env env);

  // A promise for what `begin` sets going, which is given what settles it. The arguments are kept alive as long, and so
  // is Node.
  Napi::Value make(const Napi::CallbackInfo& info, const std::function<void(Settle)>& begin);
  // From here on Node does not stay alive for what is promised.
  void abandon(Napi::Env env) { finished_.Unref(env); }
  // Node is going down, or nobody is left to be promised anything. Node takes the thread-safe function down itself, so
  // it is let go of just once, before that.
  void close();

 private:
  using Call = std::function<void(Napi::Env)>;
  static void callOnNode(Napi::Env env, Napi::Function, std::nullptr_t*, Call* call);
  using Finished = Napi::TypedThreadSafeFunction<std::nullptr_t, Call, callOnNode>;

  Finished finished_;
  int numPending_ = 0;  // Node's thread only
};

}  // namespace talweg::addon
