#include "engine/builder.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "engine/rules.h"

namespace talweg {
namespace {

using rules::Rule;

const std::map<std::string, Rule>& table() {
  static const std::map<std::string, Rule> rules = [] {
    std::map<std::string, Rule> table{
        {"rngBitGenerator", rules::rngBitGenerator},
        {"iota", rules::iota},
        {"broadcastInDim", rules::broadcastInDim},
        {"reshape", rules::copy},
        {"transpose", rules::transpose},
        {"slice", rules::slice},
        {"concatenate", rules::concatenate},
        {"pad", rules::pad},
        {"reverse", rules::reverse},
        {"gather", rules::gather},
        {"scatter", rules::scatter},
        {"dotGeneral", rules::dotGeneral},
        {"convolution", rules::convolution},
        {"reduce", rules::reduce},
        {"reduceWindow", rules::reduceWindow},
        {"optimizationBarrier", rules::copy},
        {"stopGradient", rules::copy},
        {"allReduce", rules::allReduce},
        {"allReduceStart", rules::allReduceStart},
        {"allReduceDone", rules::allReduceDone},
        {"allGather", rules::allGather},
        {"reduceScatter", rules::reduceScatter},
        {"collectivePermute", rules::collectivePermute},
        {"elementwise", rules::elementwiseGroup},
        {"dotEpilogue", rules::dotEpilogue},
        {"widenedReduce", rules::widenedReduce},
        {"erf", rules::elementwise},
        {"gelu", rules::gelu},
        {"geluGradient", rules::geluGradient},
        {"softmax", rules::softmax},
        {"softmaxGradient", rules::softmaxGradient},
        {"layerNorm", rules::layerNorm},
        {"layerNormGradient", rules::layerNormGradient},
        {"rmsNorm", rules::rmsNorm},
        {"rmsNormGradient", rules::rmsNormGradient},
        {"batchNorm", rules::batchNorm},
        {"batchNormGradient", rules::batchNormGradient},
        {"batchNormRelu", rules::batchNormRelu},
        {"batchNormReluGradient", rules::batchNormReluGradient},
        {"softmaxCrossEntropy", rules::softmaxCrossEntropy},
        {"softmaxCrossEntropyGradient", rules::softmaxCrossEntropyGradient},
        {"attention", rules::attention},
        {"attentionGradient", rules::attentionGradient},
        {"adamUpdate", rules::adamUpdate},
        {"maxPoolGradient", rules::maxPoolGradient},
        {"linearGradient", rules::linearGradient},
        {"linearDescent", rules::linearDescent},
    };
    for (const char* name : {"negate",
                             "abs",
                             "sign",
                             "exponential",
                             "exponentialMinusOne",
                             "log",
                             "logPlusOne",
                             "sqrt",
                             "rsqrt",
                             "cbrt",
                             "tanh",
                             "logistic",
                             "sine",
                             "cosine",
                             "floor",
                             "ceil",
                             "roundNearestEven",
                             "isFinite",
                             "not",
                             "convert",
                             "bitcastConvert",
                             "add",
                             "subtract",
                             "multiply",
                             "divide",
                             "remainder",
                             "power",
                             "maximum",
                             "minimum",
                             "atan2",
                             "and",
                             "or",
                             "xor",
                             "shiftLeft",
                             "shiftRightLogical",
                             "shiftRightArithmetic",
                             "compare",
                             "select"}) {
      table.emplace(name, rules::elementwise);
    }
    return table;
  }();
  return rules;
}

bool isNothing(const Step& step) {
  for (const View& output : step.outputs) {
    if (output.numElements() > 0) return false;
  }
  return true;
}

}  // namespace

void Builder::build(const Step& step) {
  if (isNothing(step)) return;
  const auto found = table().find(step.name);
  if (found != table().end() && found->second(*this, step)) return;
  if (step.body != nullptr) return buildBody(*step.body, step.inputs, step.outputs);
  std::string operands;
  for (const View& input : step.inputs) operands += (operands.empty() ? "" : ", ") + formatType(input);
  throw EngineError("UNSUPPORTED_BY_ENGINE", step.name + " of " + operands + " is not to be had on the native engine");
}

void Builder::buildBody(const Body& body, const std::vector<View>& inputs, const std::vector<View>& outputs) {
  std::vector<View> values(body.values.size());
  std::vector<bool> isPlaced(body.values.size(), false);
  const auto place = [&](int value, const View& view) {
    values[value] = view;
    isPlaced[value] = true;
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) place(body.inputs[i], inputs[i]);
  for (const Body::Constant& constant : body.constants) {
    const Body::Type& type = body.values[constant.value];
    place(constant.value, contiguousView(type.dtype, type.shape, const_cast<std::uint8_t*>(constant.contents->data())));
  }
  std::vector<std::pair<View, View>> copies;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const int value = body.outputs[i];
    if (!isPlaced[value]) {
      // In the memory of an operand it would be written before the operand is last read.
      const bool isShared =
          std::any_of(inputs.begin(), inputs.end(), [&](const View& input) { return shareMemory(input, outputs[i]); });
      place(value, isShared ? temporary(outputs[i].dtype, outputs[i].shape) : outputs[i]);
    }
    if (values[value].data != outputs[i].data) copies.emplace_back(values[value], outputs[i]);
  }
  for (std::size_t value = 0; value < values.size(); ++value) {
    if (!isPlaced[value]) place(static_cast<int>(value), temporary(body.values[value].dtype, body.values[value].shape));
  }
  for (const Instruction& instruction : body.instructions) {
    Scratch::Scope scope(scratch);
    Step step{instruction.name(), instruction.attributes, {}, {}, instruction.body.get()};
    for (int input : instruction.inputs) step.inputs.push_back(values[input]);
    for (int output : instruction.outputs) step.outputs.push_back(values[output]);
    build(step);
  }
  for (const auto& [from, to] : copies) addCopy(from, to);
}

View Builder::temporary(DType dtype, const Dims& shape) {
  return contiguousView(dtype, shape, scratch.take(product(shape) * sizeOf(dtype)));
}

View Builder::dense(const View& view) {
  if (view.isContiguous()) return contiguousView(view.dtype, view.shape, view.data);
  const View result = temporary(view.dtype, view.shape);
  addCopy(view, result);
  return result;
}

void Builder::addCopy(const View& from, const View& to) {
  if (to.numElements() == 0 || (from.data == to.data && from.strides == to.strides)) return;
  const kernels::CopyPlan plan = kernels::planCopy(static_cast<std::int64_t>(sizeOf(to.dtype)), toKernelDims(to.shape),
                                                   toKernelDims(from.strides), toKernelDims(to.strides));
  add([run = kernels.copy, plan, source = from.data, destination = to.data] { run(plan, source, destination); });
}

void Builder::addConvert(const View& from, const View& to) {
  static const std::string convert = "convert";
  static const Data nothing{Data::Record{}};
  rules::elementwise(*this, {convert, nothing, {from}, {to}, nullptr});
}

View Builder::converted(const View& view, DType dtype) {
  if (view.dtype == dtype) return dense(view);
  const View result = temporary(dtype, view.shape);
  addConvert(view, result);
  return result;
}

kernels::Dims toKernelDims(const Dims& dims) {
  if (dims.size() > kernels::maxRank) {
    throw EngineError("UNSUPPORTED_BY_ENGINE", "a tensor of " + std::to_string(dims.size()) +
                                                   " dimensions, of at most " + std::to_string(kernels::maxRank));
  }
  kernels::Dims result;
  for (std::int64_t size : dims) result.append(size);
  return result;
}

kernels::Combine combineNamed(const std::string& kind) {
  if (kind == "add") return kernels::Combine::add;
  if (kind == "multiply") return kernels::Combine::multiply;
  if (kind == "maximum") return kernels::Combine::maximum;
  if (kind == "minimum") return kernels::Combine::minimum;
  if (kind == "and") return kernels::Combine::logicalAnd;
  if (kind == "or") return kernels::Combine::logicalOr;
  if (kind == "replace") return kernels::Combine::replace;
  throw EngineError("INTERNAL", "no such combination: " + kind);
}

namespace {

// The bytes between a view's first and last elements. Strides here are never negative.
std::pair<const char*, const char*> extentOf(const View& view) {
  std::int64_t last = 0;
  for (std::size_t dim = 0; dim < view.rank(); ++dim) last += (view.shape[dim] - 1) * view.strides[dim];
  const char* first = view.as<const char>();
  return {first, first + (last + 1) * static_cast<std::int64_t>(sizeOf(view.dtype))};
}

}  // namespace

bool shareMemory(const View& left, const View& right) {
  if (left.numElements() == 0 || right.numElements() == 0) return false;
  const auto [leftFirst, leftEnd] = extentOf(left);
  const auto [rightFirst, rightEnd] = extentOf(right);
  return leftFirst < rightEnd && rightFirst < leftEnd;
}

}  // namespace talweg
