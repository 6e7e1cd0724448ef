// Exchanges with other workers. On one worker they are the identity.
#include <cstdio>

#include "core/error.h"
#include "engine/rules.h"

namespace talweg::rules {
namespace {

using mpi::Lane;
using mpi::Range;
using mpi::Span;
using mpi::TensorExchange;
using mpi::TensorPlan;

bool isAlone(const Step& step) { return step.attributes["size"].integer() == 1; }

// Throws where the program wants other workers than there are.
mpi::Communicator& communicatorFor(const Builder& builder, const Step& step) {
  const std::int64_t size = step.attributes["size"].integer();
  if (builder.exchanges->peers == nullptr) {
    throw EngineError("UNSUPPORTED_BY_ENGINE", step.name + " between " + std::to_string(size) +
                                                   " workers, of which this one knows itself alone");
  }
  mpi::Communicator& communicator = *builder.exchanges->peers->communicator;
  if (communicator.size() != size) {
    throw EngineError("WORLD_MISMATCH", step.name + " between " + std::to_string(size) + " workers: there are " +
                                            std::to_string(communicator.size()));
  }
  return communicator;
}

// `f32[384,1152] and 11 more (4.2 MB)`
std::string describe(const std::vector<View>& views) {
  std::int64_t sizeBytes = 0;
  for (const View& view : views) sizeBytes += view.sizeBytes();
  char size[32];
  std::snprintf(size, sizeof(size), " (%.3g MB)", sizeBytes / 1e6);
  const std::string more = views.size() > 1 ? " and " + std::to_string(views.size() - 1) + " more" : "";
  return formatType(views[0]) + more + size;
}

std::vector<mpi::Join> joinsFor(const Step& step) {
  const std::int64_t size = step.attributes["size"].integer();
  const std::int64_t shards =
      step.attributes.has("shards") && !step.attributes["shards"].isNull() ? step.attributes["shards"].integer() : size;
  return mpi::joinsOfWorkers(static_cast<int>(shards), static_cast<int>(size));
}

std::shared_ptr<TensorExchange> allReduceExchange(const Builder& builder, const Step& step) {
  const mpi::Communicator& communicator = communicatorFor(builder, step);
  std::vector<Span> spans;
  std::size_t sizeBytes = 0;
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    invariant(step.inputs[i].isContiguous() && step.inputs[i].dtype == step.inputs[0].dtype,
              "what is exchanged is row-major and of one type");
    spans.push_back(
        {step.inputs[i].as<char>(), step.outputs[i].as<char>(), static_cast<std::size_t>(step.inputs[i].sizeBytes())});
    sizeBytes += spans.back().sizeBytes;
  }
  const int size = communicator.size();
  const bool isRepeated = sizeBytes <= mpi::largestRepeated;
  std::vector<Range> ranges = isRepeated ? std::vector<Range>(size, mpi::cutIntoPieces(spans))  //
                                         : mpi::cutIntoRanges(spans, size);
  return std::make_shared<TensorExchange>(TensorPlan{
      describe(step.inputs), communicator.rank(), std::move(ranges),
      mpi::combineFor(step.inputs[0].dtype, step.attributes["kind"].text()), joinsFor(step), !isRepeated, isRepeated});
}

void addExchange(Builder& builder, std::shared_ptr<TensorExchange> exchange) {
  builder.add([peers = builder.exchanges->peers, exchange = std::move(exchange)] {
    const auto ticket = peers->communicator->post(Lane::tensors, exchange);
    peers->communicator->wait(*ticket, peers->isStopped);
  });
}

const void* firstMemory(const std::vector<View>& views) {
  for (const View& view : views) {
    if (view.numElements() > 0) return view.data;
  }
  return nullptr;
}

// `whole` as `numParts` parts along a dimension, each in one run: [part, what is before the dimension, part and what is
// after it]. Its elements are elsewhere unless there is nothing before the dimension.
View byParts(const View& whole, std::int64_t dim, std::int64_t numParts) {
  std::int64_t numBefore = 1, numAfter = 1;
  for (std::int64_t i = 0; i < dim; ++i) numBefore *= whole.shape[i];
  for (std::size_t i = dim; i < whole.rank(); ++i) numAfter *= whole.shape[i];
  const std::int64_t run = numAfter / numParts;
  return {whole.dtype, {numParts, numBefore, run}, {run, numAfter, 1}, whole.data};
}

// Each worker's part of memory in which parts follow one another.
std::vector<Span> partsOf(const View& parts) {
  const std::size_t sizeBytes = static_cast<std::size_t>(parts.sizeBytes() / parts.shape[0]);
  std::vector<Span> spans;
  for (std::int64_t part = 0; part < parts.shape[0]; ++part) {
    char* data = parts.as<char>() + part * sizeBytes;
    spans.push_back({data, data, sizeBytes});
  }
  return spans;
}

}  // namespace

bool allReduce(Builder& builder, const Step& step) {
  if (isAlone(step)) return copy(builder, step);
  if (builder.exchanges != nullptr) addExchange(builder, allReduceExchange(builder, step));
  return true;
}

// In place, or nearly so: what is under way is the results' memory, which the program leaves alone until
// `allReduceDone`.
bool allReduceStart(Builder& builder, const Step& step) {
  if (isAlone(step)) return copy(builder, step);
  if (builder.exchanges == nullptr) return true;
  const auto started = std::make_shared<StartedExchange>();
  builder.exchanges->started[firstMemory(step.outputs)] = started;
  builder.add([peers = builder.exchanges->peers, exchange = allReduceExchange(builder, step), started] {
    started->ticket = peers->communicator->post(Lane::tensors, exchange);
  });
  return true;
}

bool allReduceDone(Builder& builder, const Step& step) {
  if (!isAlone(step) && builder.exchanges != nullptr) {
    const auto found = builder.exchanges->started.find(firstMemory(step.inputs));
    invariant(found != builder.exchanges->started.end(), "an exchange is begun before it is waited for");
    builder.add([peers = builder.exchanges->peers, started = found->second] {
      peers->communicator->wait(*started->ticket, peers->isStopped);
    });
  }
  return copy(builder, step);
}

bool reduceScatter(Builder& builder, const Step& step) {
  if (isAlone(step)) return copy(builder, step);
  const std::int64_t size = step.attributes["size"].integer();
  const View scattered = byParts(step.inputs[0], step.attributes["dim"].integer(), size);
  const View parts = builder.dense(scattered);
  if (builder.exchanges == nullptr) return true;
  const int rank = communicatorFor(builder, step).rank();
  std::vector<Range> ranges;
  for (Span span : partsOf(parts)) {
    if (static_cast<int>(ranges.size()) == rank) span.to = step.outputs[0].as<char>();
    ranges.push_back(mpi::cutIntoPieces({span}));
  }
  addExchange(builder, std::make_shared<TensorExchange>(
                           TensorPlan{describe(step.inputs), rank, std::move(ranges),
                                      mpi::combineFor(step.inputs[0].dtype, step.attributes["kind"].text()),
                                      joinsFor(step), false, false}));
  return true;
}

bool allGather(Builder& builder, const Step& step) {
  if (isAlone(step)) return copy(builder, step);
  const std::int64_t size = step.attributes["size"].integer();
  const View gathered = byParts(step.outputs[0], step.attributes["dim"].integer(), size);
  const View parts = gathered.isContiguous() ? gathered : builder.temporary(gathered.dtype, gathered.shape);
  if (builder.exchanges != nullptr) {
    const int rank = communicatorFor(builder, step).rank();
    const std::vector<Span> spans = partsOf(parts);
    std::vector<Range> ranges;
    for (const Span& span : spans) ranges.push_back(mpi::cutIntoPieces({span}));
    const View own = contiguousView(parts.dtype, step.inputs[0].shape, spans[rank].to);
    builder.addCopy(step.inputs[0], own);
    addExchange(builder, std::make_shared<TensorExchange>(
                             TensorPlan{describe(step.inputs), rank, std::move(ranges), nullptr, {}, true, false}));
  }
  if (parts.data != gathered.data) builder.addCopy(parts, gathered);
  return true;
}

bool collectivePermute(Builder& builder, const Step& step) {
  if (isAlone(step)) return copy(builder, step);
  throw EngineError("UNSUPPORTED_BY_ENGINE", step.name + " between several workers");
}

}  // namespace talweg::rules
