// The addon: one class, `Engine`, that src/engine/native/ wraps. Nothing is checked here that TypeScript has checked.
//
// Buffers and executables are handed out as externals. What a call works on (the arrays of its inputs and outputs,
// externals, the engine) is held by a reference until its promise is settled.
#include <napi.h>

#include "addon/communicator.h"
#include "addon/convert.h"
#include "addon/promises.h"
#include "core/wire.h"
#include "engine/engine.h"
#include "engine/peaks.h"

namespace talweg::addon {
namespace {

using Buffer = std::shared_ptr<Memory>;
using Loaded = std::shared_ptr<Executable>;

Data dataOf(const Napi::Value& bytes, const Napi::Value& beside) {
  const auto given = beside.As<Napi::Array>();
  std::vector<ByteSpan> arrays;
  for (std::uint32_t i = 0; i < given.Length(); ++i) arrays.push_back(bytesOf(given.Get(i)));
  return readWire(bytesOf(bytes), arrays);
}

template <class Pointer>
Napi::External<Pointer> externalOf(Napi::Env env, Pointer pointer) {
  return Napi::External<Pointer>::New(env, new Pointer(std::move(pointer)),
                                      [](Napi::Env, Pointer* held) { delete held; });
}

template <class Pointer>
Pointer pointerOf(const Napi::Value& value) {
  return *value.As<Napi::External<Pointer>>().Data();
}

class EngineWrap : public Napi::ObjectWrap<EngineWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Engine",
        {InstanceMethod("describe", &EngineWrap::describe), InstanceMethod("allocate", &EngineWrap::allocate),
         InstanceMethod("read", &EngineWrap::read), InstanceMethod("write", &EngineWrap::write),
         InstanceMethod("scratchBytes", &EngineWrap::scratchBytes), InstanceMethod("load", &EngineWrap::load),
         InstanceMethod("run", &EngineWrap::run), InstanceMethod("findNonFinite", &EngineWrap::findNonFinite),
         InstanceMethod("release", &EngineWrap::release), InstanceMethod("measurePeaks", &EngineWrap::measurePeaks)});
  }

  // (threads, target, communicator or undefined)
  explicit EngineWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EngineWrap>(info), promises_(info.Env()) {
    guarded(info.Env(), [&] {
      engine_ = std::make_shared<Engine>(info[0].As<Napi::Number>().Int32Value(),
                                         info[1].As<Napi::String>().Utf8Value(), communicatorOf(info[2]));
    });
    hook_ = info.Env().AddCleanupHook(std::function<void()>([this] { close(); }));
    isClosed_ = false;
  }

  ~EngineWrap() override {
    if (isClosed_) return;
    hook_.Remove(Env());
    close();
  }

 private:
  using Work = std::function<Result()>;
  using Hook = decltype(std::declval<Napi::Env>().AddCleanupHook(std::declval<std::function<void()>>()));

  // Nobody holds the engine any more, or Node is going down, perhaps in the middle of a run: the thread ends before
  // what it works on is freed. Node takes the thread-safe function down itself, so it is let go of just once, before
  // that.
  void close() {
    isClosed_ = true;
    engine_->stop();
    promises_.close();
  }

  // Does `work` on the engine's thread, then what it returns on Node's, for the promise's value.
  Napi::Value promise(const Napi::CallbackInfo& info, Work work) {
    return promises_.make(info, [&](Promises::Settle settle) {
      engine_->post([settle = std::move(settle), work = std::move(work)] {
        Result result;
        try {
          result = work();
        } catch (...) {
          result = failure(std::current_exception());
        }
        settle(std::move(result));
      });
    });
  }

  // () -> { target, threads, onednn }
  Napi::Value describe(const Napi::CallbackInfo& info) {
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("target", engine_->target());
    result.Set("threads", engine_->numThreads());
    result.Set("onednn", onednn::versionText());
    return result;
  }

  // (sizeBytes, contents or undefined) -> buffer
  Napi::Value allocate(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      auto memory = std::make_shared<Memory>(static_cast<std::size_t>(info[0].As<Napi::Number>().Int64Value()));
      if (!info[1].IsUndefined()) {
        const Span contents = spanOf(info[1]);
        if (contents.sizeBytes > 0) std::memcpy(memory->data(), contents.data, contents.sizeBytes);
      }
      return externalOf<Buffer>(info.Env(), memory);
    });
  }

  // (buffer, into, offset in bytes) -> promise
  Napi::Value read(const Napi::CallbackInfo& info) {
    const auto offsetBytes = static_cast<std::size_t>(info[2].As<Napi::Number>().Int64Value());
    return promise(info, [memory = pointerOf<Buffer>(info[0]), into = spanOf(info[1]), offsetBytes] {
      invariant(offsetBytes + into.sizeBytes <= memory->sizeBytes(), "what is read lies in the buffer");
      if (into.sizeBytes > 0) std::memcpy(into.data, memory->data() + offsetBytes, into.sizeBytes);
      return [](Napi::Env env) { return env.Undefined(); };
    });
  }

  // (buffer, from, offset in bytes) -> promise
  Napi::Value write(const Napi::CallbackInfo& info) {
    const auto offsetBytes = static_cast<std::size_t>(info[2].As<Napi::Number>().Int64Value());
    return promise(info, [memory = pointerOf<Buffer>(info[0]), from = spanOf(info[1]), offsetBytes] {
      invariant(offsetBytes + from.sizeBytes <= memory->sizeBytes(), "what is written lies in the buffer");
      if (from.sizeBytes > 0) std::memcpy(memory->data() + offsetBytes, from.data, from.sizeBytes);
      return [](Napi::Env env) { return env.Undefined(); };
    });
  }

  // (instructions over values as bytes, the arrays beside) -> bytes for each
  Napi::Value scratchBytes(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const Unplaced asked = readUnplaced(dataOf(info[0], info[1]));
      std::vector<std::size_t> sizes;
      engine_->postAndWait([&] {
        for (const Instruction& instruction : asked.instructions) {
          const std::vector<View> inputs = viewsOf(asked.values, instruction.inputs);
          const std::vector<View> outputs = viewsOf(asked.values, instruction.outputs);
          sizes.push_back(measureScratch(engine_->machine(), instruction, inputs, outputs));
        }
      });
      Napi::Array result = Napi::Array::New(info.Env(), sizes.size());
      for (std::uint32_t i = 0; i < sizes.size(); ++i) result.Set(i, static_cast<double>(sizes[i]));
      return result;
    });
  }

  // Views over no memory, each of an address range of its own, so that none seems to share memory with another.
  static std::vector<View> viewsOf(const std::vector<talweg::Value>& values, const std::vector<int>& indices) {
    static std::uintptr_t nextAddress = 0;
    std::vector<View> views;
    for (int index : indices) {
      nextAddress += std::uintptr_t{1} << 40;
      const talweg::Value& value = values.at(index);
      views.push_back({value.dtype, value.shape, value.strides, reinterpret_cast<char*>(nextAddress)});
    }
    return views;
  }

  // (program as bytes, the arrays beside, buffers) -> promise of executable
  Napi::Value load(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      auto program = std::make_shared<Program>(readProgram(dataOf(info[0], info[1])));
      std::vector<Buffer> state;
      const auto buffers = info[2].As<Napi::Array>();
      for (std::uint32_t i = 0; i < buffers.Length(); ++i) state.push_back(pointerOf<Buffer>(buffers.Get(i)));
      return promise(info, [engine = engine_.get(), program, state] {
        auto loaded = std::make_shared<Executable>(engine->machine(), std::move(*program), state);
        return [loaded](Napi::Env env) -> Napi::Value { return externalOf<Loaded>(env, loaded); };
      });
    });
  }

  // (executable, inputs, outputs, steps, rows of the data or undefined, marks of the timeline or undefined) -> promise
  Napi::Value run(const Napi::CallbackInfo& info) {
    const Timeline::Clock::time_point called = Timeline::Clock::now();
    std::vector<const char*> inputs;
    std::vector<char*> outputs;
    const auto given = info[1].As<Napi::Array>(), wanted = info[2].As<Napi::Array>();
    for (std::uint32_t i = 0; i < given.Length(); ++i) inputs.push_back(spanOf(given.Get(i)).data);
    for (std::uint32_t i = 0; i < wanted.Length(); ++i) outputs.push_back(spanOf(wanted.Get(i)).data);
    const std::int64_t steps = info[3].As<Napi::Number>().Int64Value();
    std::optional<Timeline> timeline;
    if (!info[5].IsUndefined()) timeline.emplace(called, reinterpret_cast<double*>(spanOf(info[5]).data));
    const auto* rows = info[4].IsUndefined() ? nullptr : reinterpret_cast<const std::int32_t*>(spanOf(info[4]).data);
    return promise(info, [engine = engine_.get(), loaded = pointerOf<Loaded>(info[0]), inputs, outputs, steps, rows,
                          timeline]() mutable {
      loaded->run(inputs, rows, outputs, steps, engine->isStopped(), timeline ? &*timeline : nullptr);
      return [](Napi::Env env) { return env.Undefined(); };
    });
  }

  // (executable): frees it once calls that were made are carried out. It must not be called again.
  Napi::Value release(const Napi::CallbackInfo& info) {
    info[0].As<Napi::External<Loaded>>().Data()->reset();
    return info.Env().Undefined();
  }

  // (executable, inputs) -> promise of { label, operation, dtype, shape } or undefined
  Napi::Value findNonFinite(const Napi::CallbackInfo& info) {
    std::vector<const char*> inputs;
    const auto given = info[1].As<Napi::Array>();
    for (std::uint32_t i = 0; i < given.Length(); ++i) inputs.push_back(spanOf(given.Get(i)).data);
    return promise(info, [loaded = pointerOf<Loaded>(info[0]), inputs] {
      return [finding = loaded->findNonFinite(inputs)](Napi::Env env) -> Napi::Value {
        if (!finding) return env.Undefined();
        Napi::Object result = Napi::Object::New(env);
        result.Set("label", finding->label);
        result.Set("operation", finding->operation);
        result.Set("dtype", nameOf(finding->dtype));
        Napi::Array shape = Napi::Array::New(env);
        for (std::uint32_t dim = 0; dim < finding->shape.size(); ++dim) {
          shape.Set(dim, static_cast<double>(finding->shape[dim]));
        }
        result.Set("shape", shape);
        return result;
      };
    });
  }

  // () -> promise of { f32, bf16, bytes }, FLOP and bytes a second; no bf16 where there are no products of it
  Napi::Value measurePeaks(const Napi::CallbackInfo& info) {
    return promise(info, [engine = engine_.get()] {
      return [peaks = talweg::measurePeaks(engine->machine())](Napi::Env env) -> Napi::Value {
        Napi::Object result = Napi::Object::New(env);
        result.Set("f32", peaks.f32FlopsPerSecond);
        if (peaks.bf16FlopsPerSecond) result.Set("bf16", *peaks.bf16FlopsPerSecond);
        result.Set("bytes", peaks.bytesPerSecond);
        return result;
      };
    });
  }

  std::shared_ptr<Engine> engine_;
  Promises promises_;
  Hook hook_;
  bool isClosed_ = true;  // until it is whole
};

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("Engine", EngineWrap::define(env));
  defineCommunicator(env, exports);
  return exports;
}

}  // namespace
}  // namespace talweg::addon

static Napi::Object initialize(Napi::Env env, Napi::Object exports) { return talweg::addon::initialize(env, exports); }
NODE_API_MODULE(talweg, initialize)
