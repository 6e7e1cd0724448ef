// A product with what follows it: bias and activation inside the product where oneDNN has them, the rest in one pass.
#include <algorithm>
#include <cstring>
#include <optional>

#include "core/error.h"
#include "engine/rules.h"
#include "engine/rules/product.h"

namespace talweg::rules {
namespace {

using onednn::Activation;

// Reads the body of a dotEpilogue.
class Epilogue {
 public:
  Epilogue(const Body& body, const std::vector<View>& inputs) : body_(body), views_(body.values.size()) {
    for (std::size_t i = 0; i < inputs.size(); ++i) views_[body.inputs[i]] = inputs[i];
    for (const Instruction& instruction : body.instructions) {
      if (instruction.operation == "dotGeneral") product = &instruction;
    }
    invariant(product != nullptr, "a dotEpilogue has a product");
  }

  const std::optional<View>& view(int value) const { return views_[value]; }
  bool isOutput(int value) const { return std::count(body_.outputs.begin(), body_.outputs.end(), value) > 0; }

  // The product's result, then what bias and activation make of it: found by following the only user of each.
  struct Fused {
    int value;
    std::optional<View> bias;
    Activation activation = Activation::none;
  };
  Fused fuse() const {
    Fused fused{product->outputs[0], std::nullopt};
    if (const Instruction* next = onlyUser(fused.value); next != nullptr && next->operation == "add") {
      if (std::optional<View> bias = biasAmong(*next, fused.value)) {
        fused = {next->outputs[0], bias};
      }
    }
    if (const Instruction* next = onlyUser(fused.value); next != nullptr) {
      const Activation activation = activationOf(*next);
      if (activation != Activation::none) {
        fused.activation = activation;
        fused.value = next->outputs[0];
      }
    }
    // Rounding to bf16 as the product is written; oneDNN has it for operands of bf16.
    const bool isBFloat16 = body_.values[product->inputs[0]].dtype == DType::bf16;
    if (const Instruction* next = onlyUser(fused.value);
        next != nullptr && isBFloat16 && next->operation == "convert") {
      if (body_.values[next->outputs[0]].dtype == DType::bf16) fused.value = next->outputs[0];
    }
    return fused;
  }

  const Instruction* product = nullptr;

 private:
  // Null where there are several users, or where the value is itself a result.
  const Instruction* onlyUser(int value) const {
    const Instruction* user = nullptr;
    if (isOutput(value)) return nullptr;
    for (const Instruction& instruction : body_.instructions) {
      if (std::count(instruction.inputs.begin(), instruction.inputs.end(), value) == 0) continue;
      if (user != nullptr) return nullptr;
      user = &instruction;
    }
    return user;
  }

  // The operand added to `value`, if it is f32 and the same for every row, as one contiguous row.
  std::optional<View> biasAmong(const Instruction& add, int value) const {
    const int other = add.inputs[0] == value ? add.inputs[1] : add.inputs[0];
    std::optional<View> view = views_[other];
    for (const Instruction& instruction : body_.instructions) {
      if (instruction.operation == "broadcastInDim" && instruction.outputs[0] == other &&
          views_[instruction.inputs[0]]) {
        view = broadcastTo(*views_[instruction.inputs[0]], instruction.attributes["shape"].integers(),
                           instruction.attributes["dims"].integers());
      }
    }
    if (!view || view->dtype != DType::f32 || view->rank() == 0) return std::nullopt;
    for (std::size_t dim = 0; dim + 1 < view->rank(); ++dim) {
      if (view->shape[dim] != 1 && view->strides[dim] != 0) return std::nullopt;
    }
    if (view->shape.back() != 1 && view->strides.back() != 1) return std::nullopt;
    return view;
  }

  Activation activationOf(const Instruction& instruction) const {
    const std::string& name = instruction.name();
    if (name == "tanh") return Activation::tanh;
    if (name == "logistic") return Activation::logistic;
    if (name == "gelu") {
      return instruction.attributes["approximate"].text() == "tanh" ? Activation::geluTanh : Activation::geluErf;
    }
    // Not ReLU: oneDNN's makes 0 of NaN, which `maximum` keeps, so it is left to the pass over the result.
    return Activation::none;
  }

  const Body& body_;
  std::vector<std::optional<View>> views_;
};

// What is left of the body once `fused` is known, as a group of its own that takes it as one more operand.
Body remainderOf(const Body& body, int fused) {
  Body rest = body;
  const auto produces = [fused](const Instruction& instruction) { return instruction.outputs[0] == fused; };
  const auto last = std::find_if(rest.instructions.begin(), rest.instructions.end(), produces);
  rest.instructions.erase(last);
  // What led to it alone is needed no more.
  for (bool isChanged = true; isChanged;) {
    const auto isUnused = [&](const Instruction& instruction) {
      const int value = instruction.outputs[0];
      for (const Instruction& user : rest.instructions) {
        if (std::count(user.inputs.begin(), user.inputs.end(), value) > 0) return false;
      }
      return std::count(rest.outputs.begin(), rest.outputs.end(), value) == 0;
    };
    const auto unused = std::find_if(rest.instructions.begin(), rest.instructions.end(), isUnused);
    isChanged = unused != rest.instructions.end();
    if (isChanged) rest.instructions.erase(unused);
  }
  rest.inputs.push_back(fused);
  return rest;
}

bool overlapsAny(const View& view, const std::vector<View>& others) {
  return std::any_of(others.begin(), others.end(), [&](const View& other) { return shareMemory(view, other); });
}

}  // namespace

bool dotEpilogue(Builder& builder, const Step& step) {
  const Body& body = *step.body;
  const Epilogue epilogue(body, step.inputs);
  const std::optional<View>& left = epilogue.view(epilogue.product->inputs[0]);
  const std::optional<View>& right = epilogue.view(epilogue.product->inputs[1]);
  if (!left || !right) return false;

  Epilogue::Fused fused = epilogue.fuse();
  const auto placeOf = [&](int value) {
    for (std::size_t i = 0; i < step.outputs.size(); ++i) {
      if (body.outputs[i] == value && !overlapsAny(step.outputs[i], step.inputs)) return step.outputs[i];
    }
    return builder.temporary(body.values[value].dtype, body.values[value].shape);
  };
  View place = placeOf(fused.value);
  const float* bias = fused.bias ? fused.bias->as<const float>() : nullptr;
  if (!addProduct(builder, epilogue.product->attributes, *left, *right, place, bias, fused.activation)) {
    fused = {epilogue.product->outputs[0], std::nullopt};
    place = placeOf(fused.value);
    addProduct(builder, epilogue.product->attributes, *left, *right, place, nullptr, Activation::none);
  }
  const bool isWhole = body.outputs.size() == 1 && body.outputs[0] == fused.value;
  if (isWhole) {
    builder.addCopy(place, step.outputs[0]);
    return true;
  }
  const Body rest = remainderOf(body, fused.value);
  std::vector<View> inputs = step.inputs;
  inputs.push_back(place);
  static const std::string name = "elementwise";
  builder.build({name, step.attributes, inputs, step.outputs, &rest});
  return true;
}

}  // namespace talweg::rules
