#include "addon/communicator.h"

#include "addon/convert.h"
#include "addon/promises.h"
#include "core/error.h"
#include "mpi/byte_exchange.h"
#include "mpi/tree.h"

namespace talweg::addon {
namespace {

using mpi::ByteExchange;
using mpi::Communicator;
using mpi::Lane;

Napi::Value bytesToNode(Napi::Env env, const mpi::Bytes& bytes) {
  Napi::Uint8Array array = Napi::Uint8Array::New(env, bytes.size());
  if (!bytes.empty()) std::memcpy(array.Data(), bytes.data(), bytes.size());
  return array;
}

class CommunicatorWrap : public Napi::ObjectWrap<CommunicatorWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Communicator",
        {InstanceMethod("open", &CommunicatorWrap::open), InstanceMethod("exchange", &CommunicatorWrap::exchange),
         InstanceMethod("exchanged", &CommunicatorWrap::exchanged), InstanceMethod("close", &CommunicatorWrap::close),
         InstanceMethod("abandon", &CommunicatorWrap::abandon)});
  }

  explicit CommunicatorWrap(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<CommunicatorWrap>(info), promises_(info.Env()) {
    hook_ = info.Env().AddCleanupHook(std::function<void()>([this] { stop(); }));
  }

  ~CommunicatorWrap() override {
    if (isStopped_) return;
    hook_.Remove(Env());
    stop();
  }

  const std::shared_ptr<Communicator>& communicator() const { return communicator_; }

 private:
  using Hook = decltype(std::declval<Napi::Env>().AddCleanupHook(std::declval<std::function<void()>>()));

  // Nobody holds it any more, or Node is going down: not waiting for the others, who may be gone.
  void stop() {
    isStopped_ = true;
    if (communicator_ != nullptr) communicator_->stop();
    promises_.close();
  }

  // (timeout in milliseconds) -> promise of { rank, size, hosts, version }
  Napi::Value open(const Napi::CallbackInfo& info) {
    const std::chrono::milliseconds timeout(info[0].As<Napi::Number>().Int64Value());
    return promises_.make(info, [&](const Promises::Settle& settle) {
      communicator_ = Communicator::begin(timeout, [this, settle](const std::exception_ptr& error) {
        settle(error != nullptr ? failure(error) : [this](Napi::Env env) { return describe(env); });
      });
    });
  }

  // (): nobody waits for `open` any more, which waits for the other workers without end.
  Napi::Value abandon(const Napi::CallbackInfo& info) {
    promises_.abandon(info.Env());
    return info.Env().Undefined();
  }

  Napi::Value describe(Napi::Env env) const {
    Napi::Object result = Napi::Object::New(env);
    result.Set("rank", communicator_->rank());
    result.Set("size", communicator_->size());
    result.Set("version", communicator_->version());
    const std::vector<std::string>& hosts = communicator_->hosts();
    Napi::Array names = Napi::Array::New(env, hosts.size());
    for (std::uint32_t i = 0; i < hosts.size(); ++i) names.Set(i, hosts[i]);
    result.Set("hosts", names);
    return result;
  }

  // (what it is called, bytes, workers to send them to, workers to get some from) -> promise of bytes from each
  Napi::Value exchange(const Napi::CallbackInfo& info) {
    const ByteSpan bytes = bytesOf(info[1]);
    const auto exchange = std::make_shared<ByteExchange>(info[0].As<Napi::String>().Utf8Value(),
                                                         mpi::Bytes(bytes.first, bytes.first + bytes.second),
                                                         workersOf(info[2]), workersOf(info[3]));
    return promises_.make(info, [&](const Promises::Settle& settle) {
      communicator_->post(Lane::control, exchange, [exchange, settle](const std::exception_ptr& error) {
        settle(error != nullptr ? failure(error) : [exchange](Napi::Env env) -> Napi::Value {
          const std::vector<mpi::Bytes>& incoming = exchange->incoming();
          Napi::Array result = Napi::Array::New(env, incoming.size());
          for (std::uint32_t i = 0; i < incoming.size(); ++i) result.Set(i, bytesToNode(env, incoming[i]));
          return result;
        });
      });
    });
  }

  static std::vector<int> workersOf(const Napi::Value& value) {
    const auto array = value.As<Napi::Array>();
    std::vector<int> workers;
    for (std::uint32_t i = 0; i < array.Length(); ++i) {
      workers.push_back(array.Get(i).As<Napi::Number>().Int32Value());
    }
    return workers;
  }

  // () -> { bytesSent, secondsExchanging, secondsWaiting } since it was last called
  Napi::Value exchanged(const Napi::CallbackInfo& info) {
    const mpi::Statistics statistics = communicator_->takeStatistics();
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("bytesSent", static_cast<double>(statistics.bytesSent));
    result.Set("secondsExchanging", statistics.secondsExchanging);
    result.Set("secondsWaiting", statistics.secondsWaiting);
    return result;
  }

  // () -> promise, once every worker has called it
  Napi::Value close(const Napi::CallbackInfo& info) {
    return promises_.make(info, [&](const Promises::Settle& settle) {
      communicator_->close([settle](const std::exception_ptr& error) {
        settle(error != nullptr ? failure(error) : [](Napi::Env env) -> Napi::Value { return env.Undefined(); });
      });
    });
  }

  std::shared_ptr<Communicator> communicator_;
  Promises promises_;
  Hook hook_;
  bool isStopped_ = false;
};

// (shards, workers) -> [into, from, into, from, …], for the twin in TypeScript to be compared with.
Napi::Value joinsOfWorkers(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Napi::Array result = Napi::Array::New(info.Env());
    const auto joins =
        mpi::joinsOfWorkers(info[0].As<Napi::Number>().Int32Value(), info[1].As<Napi::Number>().Int32Value());
    for (const auto& [into, from] : joins) {
      result.Set(result.Length(), into);
      result.Set(result.Length(), from);
    }
    return result;
  });
}

}  // namespace

void defineCommunicator(Napi::Env env, Napi::Object exports) {
  exports.Set("Communicator", CommunicatorWrap::define(env));
  exports.Set("joinsOfWorkers", Napi::Function::New(env, joinsOfWorkers));
}

std::shared_ptr<mpi::Communicator> communicatorOf(const Napi::Value& value) {
  if (value.IsUndefined()) return nullptr;
  return CommunicatorWrap::Unwrap(value.As<Napi::Object>())->communicator();
}

}  // namespace talweg::addon
