#include "addon/promises.h"

#include <memory>

#include "addon/convert.h"

namespace talweg::addon {
namespace {

Napi::ObjectReference hold(const Napi::CallbackInfo& info) {
  Napi::Array held = Napi::Array::New(info.Env(), info.Length() + 1);
  for (std::uint32_t i = 0; i < info.Length(); ++i) held.Set(i, info[i]);
  held.Set(static_cast<std::uint32_t>(info.Length()), info.This());
  return Napi::Persistent(held.As<Napi::Object>());
}

}  // namespace

Result failure(std::exception_ptr error) {
  return [error](Napi::Env env) -> Napi::Value {
    return guarded(env, [&]() -> Napi::Value { std::rethrow_exception(error); });
  };
}

Promises::Promises(Napi::Env env) {
  finished_ = Finished::New(env, "talweg", 0, 1);
  finished_.Unref(env);
}

void Promises::close() { finished_.Abort(); }

void Promises::callOnNode(Napi::Env env, Napi::Function, std::nullptr_t*, Call* call) {
  const std::unique_ptr<Call> owned(call);
  if (env != nullptr) (*owned)(env);
}

Napi::Value Promises::make(const Napi::CallbackInfo& info, const std::function<void(Settle)>& begin) {
  const Napi::Env env = info.Env();
  auto deferred = std::make_shared<Napi::Promise::Deferred>(env);
  auto held = std::make_shared<Napi::ObjectReference>(hold(info));
  if (numPending_++ == 0) finished_.Ref(env);
  const auto settle = [this, deferred, held](Napi::Env onEnv, const Result& result) {
    if (--numPending_ == 0) finished_.Unref(onEnv);
    try {
      deferred->Resolve(result(onEnv));
    } catch (const Napi::Error& error) {
      deferred->Reject(error.Value());
    }
    held->Reset();
  };
  begin([this, settle](Result result) {
    auto* call = new Call([settle, result = std::move(result)](Napi::Env onEnv) { settle(onEnv, result); });
    if (finished_.BlockingCall(call) != napi_ok) delete call;  // Node is going down
  });
  return deferred->Promise();
}

}  // namespace talweg::addon
