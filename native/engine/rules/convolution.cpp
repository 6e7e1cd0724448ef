// Convolutions.
//
// StableHLO has one convolution for three purposes, oneDNN has three: which of them a convolution is, is read off its
// attributes. Dilated input and a reversed kernel make the gradient of the input; a kernel larger than the result makes
// the gradient of the kernel; else it is a forward one. What none of the three is (f64, integers, cases that
// no model has) is laid out as a matrix of patches, image by image, and multiplied.
#include <algorithm>
#include <functional>
#include <optional>

#include "core/error.h"
#include "engine/rules.h"
#include "onednn/convolution.h"

namespace talweg::rules {
namespace {

struct Attributes {
  Dims strides, low, high, inputDilation, kernelDilation;
  std::int64_t featureGroups, batchGroups;
  bool isReversed = false, isPartlyReversed = false;
  std::vector<bool> reversal = {};
};

Attributes readAttributes(const Data& data) {
  Attributes a{data["strides"].integers(),
               {},
               {},
               data["inputDilation"].integers(),
               data["kernelDilation"].integers(),
               data["featureGroups"].integer(),
               data["batchGroups"].integer()};
  for (const Data& pair : data["padding"].list()) {
    a.low.push_back(pair.list()[0].integer());
    a.high.push_back(pair.list()[1].integer());
  }
  for (const Data& reversed : data["reversal"].list()) a.reversal.push_back(reversed.boolean());
  const auto count = std::count(a.reversal.begin(), a.reversal.end(), true);
  a.isReversed = !a.reversal.empty() && count == static_cast<std::ptrdiff_t>(a.reversal.size());
  a.isPartlyReversed = count > 0 && !a.isReversed;
  return a;
}

Dims order(const Data& dimensions, const char* first, const char* second, const char* spatial) {
  Dims result{dimensions[first].integer(), dimensions[second].integer()};
  for (std::int64_t dim : dimensions[spatial].integers()) result.push_back(dim);
  return result;
}

// The operands with their dimensions in the order batch, feature, spatial; the kernel's: output feature, input feature,
// spatial.
struct Operands {
  View input, kernel, output;
  std::size_t numSpatial() const { return input.rank() - 2; }
};

Operands readOperands(const Step& step) {
  const Data& d = step.attributes["dimensions"];
  return {transposed(step.inputs[0], order(d, "inputBatch", "inputFeature", "inputSpatial")),
          transposed(step.inputs[1], order(d, "kernelOutputFeature", "kernelInputFeature", "kernelSpatial")),
          transposed(step.outputs[0], order(d, "outputBatch", "outputFeature", "outputSpatial"))};
}

// [O, I, spatial] as [groups, O / groups, I, spatial].
View splitGroups(const View& kernel, std::int64_t groups) {
  if (groups == 1) return kernel;
  View result{kernel.dtype, {groups}, {kernel.strides[0] * (kernel.shape[0] / groups)}, kernel.data};
  result.shape.push_back(kernel.shape[0] / groups);
  result.strides.push_back(kernel.strides[0]);
  result.shape.insert(result.shape.end(), kernel.shape.begin() + 1, kernel.shape.end());
  result.strides.insert(result.strides.end(), kernel.strides.begin() + 1, kernel.strides.end());
  return result;
}

// With dimensions `first` and `first + 1` changed.
View swapped(const View& view, std::size_t first = 0) {
  Dims dims(view.rank());
  for (std::size_t dim = 0; dim < dims.size(); ++dim) dims[dim] = static_cast<std::int64_t>(dim);
  std::swap(dims[first], dims[first + 1]);
  return transposed(view, dims);
}

bool areAll(const Dims& dims, std::int64_t value) {
  return std::all_of(dims.begin(), dims.end(), [value](std::int64_t size) { return size == value; });
}

Dims lessOne(Dims dims) {
  for (std::int64_t& size : dims) --size;
  return dims;
}

// The padding after the last element with which a window of `span` makes exactly `places` steps; none where that would
// be negative and floor division makes it unnecessary. Empty where there is no such padding.
std::optional<std::int64_t> paddingHigh(std::int64_t size, std::int64_t low, std::int64_t span, std::int64_t stride,
                                        std::int64_t places) {
  const std::int64_t needed = (places - 1) * stride + span - size - low;
  if (needed >= 0) return needed;
  return -needed < stride ? std::optional<std::int64_t>(0) : std::nullopt;
}

// Completes the paddings from the sizes; false where oneDNN's form has none.
bool setPadding(onednn::Convolution& c, const Dims& low, const Dims& kernelSizes) {
  for (std::size_t dim = 0; dim < low.size(); ++dim) {
    const std::int64_t span = (kernelSizes[dim] - 1) * (c.gaps[dim] + 1) + 1;
    const std::optional<std::int64_t> high =
        paddingHigh(c.input.shape[dim + 2], low[dim], span, c.strides[dim], c.output.shape[dim + 2]);
    if (low[dim] < 0 || !high) return false;
    c.paddingLow.push_back(low[dim]);
    c.paddingHigh.push_back(*high);
  }
  return true;
}

Dims spatialOf(const View& view) { return Dims(view.shape.begin() + 2, view.shape.end()); }

Task forward(const Builder& builder, const Operands& o, const Attributes& a) {
  onednn::Convolution c{
      o.input, splitGroups(o.kernel, a.featureGroups), o.output, a.strides, lessOne(a.kernelDilation), {}, {}};
  if (!setPadding(c, a.low, spatialOf(o.kernel))) return {};
  return onednn::prepareConvolution(builder.session, builder.scratch, c);
}

// Here the input is the output's gradient, the result the input's, and the kernel's features have changed places.
Task inputGradient(const Builder& builder, const Operands& o, const Attributes& a) {
  if (!areAll(a.strides, 1)) return {};
  const View kernel = splitGroups(o.kernel, a.featureGroups);
  onednn::Convolution c{
      o.output, swapped(kernel, a.featureGroups == 1 ? 0 : 1), o.input, a.inputDilation, lessOne(a.kernelDilation), {},
      {}};
  Dims low;
  for (std::size_t dim = 0; dim < o.numSpatial(); ++dim) {
    low.push_back((o.kernel.shape[dim + 2] - 1) * a.kernelDilation[dim] - a.low[dim]);
  }
  if (!setPadding(c, low, spatialOf(o.kernel))) return {};
  return onednn::prepareInputGradient(builder.session, builder.scratch, c);
}

// Here the input has its batch and features changed, the kernel is the output's gradient, and the result is the
// kernel's: input features by output features. Groups of features are groups of the batch here.
Task kernelGradient(const Builder& builder, const Operands& o, const Attributes& a) {
  if (a.featureGroups != 1) return {};
  onednn::Convolution c{swapped(o.input),
                        splitGroups(swapped(o.output), a.batchGroups),
                        swapped(o.kernel),
                        a.kernelDilation,
                        lessOne(a.strides),
                        {},
                        {}};
  if (!setPadding(c, a.low, spatialOf(o.output))) return {};
  return onednn::prepareKernelGradient(builder.session, builder.scratch, c);
}

// The kernel turned round, in scratch memory.
View reversedKernel(Builder& builder, const View& kernel) {
  kernels::Dims spatial;
  for (std::size_t dim = 2; dim < kernel.rank(); ++dim) spatial.append(static_cast<std::int64_t>(dim));
  const View result = builder.temporary(kernel.dtype, kernel.shape);
  const kernels::CopyPlan plan =
      kernels::planReverse(static_cast<std::int64_t>(sizeOf(kernel.dtype)), toKernelDims(kernel.shape),
                           toKernelDims(kernel.strides), spatial);
  builder.add([run = builder.kernels.copy, plan, from = kernel.data, to = result.data] { run(plan, from, to); });
  return result;
}

Task byOneDnn(Builder& builder, const Operands& o, const Attributes& a) {
  if (a.isPartlyReversed) return {};
  if (a.isReversed) return a.batchGroups == 1 ? inputGradient(builder, o, a) : Task{};
  // A gradient whose kernel has been turned round beforehand.
  if (!areAll(a.inputDilation, 1)) {
    if (a.batchGroups != 1) return {};
    return inputGradient(builder, {o.input, reversedKernel(builder, o.kernel), o.output}, a);
  }
  const bool isKernelLarger = product(spatialOf(o.kernel)) > product(spatialOf(o.output));
  if (isKernelLarger || a.batchGroups > 1) {
    Task task = kernelGradient(builder, o, a);
    if (task) return task;
  }
  return a.batchGroups == 1 ? forward(builder, o, a) : Task{};
}

// The general form: patches of one image at a time, [output places, kernel places x features], times the kernel.
class PatchProduct {
 public:
  PatchProduct(Builder& builder, const Operands& operands, const Attributes& attributes)
      : builder_(builder), o_(operands), a_(attributes), n_(operands.numSpatial()) {}

  void add() {
    const std::int64_t groups = std::max(a_.featureGroups, a_.batchGroups);
    const std::int64_t batch = o_.output.shape[0], features = o_.kernel.shape[1];
    const std::int64_t outputFeatures = o_.output.shape[1] / groups;
    const Dims kernelSizes = spatialOf(o_.kernel), places = spatialOf(o_.output);
    padded_ = builder_.temporary(o_.input.dtype, paddedShape(features));
    Dims patchShape = places;
    patchShape.insert(patchShape.end(), kernelSizes.begin(), kernelSizes.end());
    patchShape.push_back(features);
    const View patches = builder_.temporary(o_.input.dtype, patchShape);
    const std::int64_t rows = product(places), inner = product(kernelSizes) * features;
    const View products = builder_.temporary(o_.output.dtype, {rows, outputFeatures});
    for (std::int64_t group = 0; group < groups; ++group) {
      Scratch::Scope scope(builder_.scratch);
      const View kernel = kernelMatrix(group, outputFeatures);
      for (std::int64_t image = 0; image < batch; ++image) {
        Scratch::Scope imageScope(builder_.scratch);
        addPadded(group, image, features);
        builder_.addCopy(patchView(patchShape), patches);
        addMatmul(contiguousView(patches.dtype, {rows, inner}, patches.data), kernel, products);
        addResult(products, group, image, outputFeatures);
      }
    }
  }

 private:
  Dims paddedShape(std::int64_t features) const {
    Dims shape;
    for (std::size_t dim = 0; dim < n_; ++dim) {
      const std::int64_t size = o_.input.shape[dim + 2];
      shape.push_back(size + std::max<std::int64_t>(size - 1, 0) * (a_.inputDilation[dim] - 1) + a_.low[dim] +
                      a_.high[dim]);
    }
    shape.push_back(features);
    return shape;
  }

  // One image, features last: [spatial..., features].
  View imageView(std::int64_t group, std::int64_t image, std::int64_t features) const {
    const std::int64_t batchIndex = a_.batchGroups > 1 ? group * o_.output.shape[0] + image : image;
    const std::int64_t firstFeature = a_.featureGroups > 1 ? group * features : 0;
    const std::int64_t offset = batchIndex * o_.input.strides[0] + firstFeature * o_.input.strides[1];
    View view{o_.input.dtype, spatialOf(o_.input), Dims(o_.input.strides.begin() + 2, o_.input.strides.end()),
              o_.input.as<char>() + offset * static_cast<std::int64_t>(sizeOf(o_.input.dtype))};
    view.shape.push_back(features);
    view.strides.push_back(o_.input.strides[1]);
    return view;
  }

  void addPadded(std::int64_t group, std::int64_t image, std::int64_t features) {
    const View from = imageView(group, image, features);
    kernels::Dims low = toKernelDims(a_.low), high = toKernelDims(a_.high),
                  interior = toKernelDims(lessOne(a_.inputDilation));
    low.append(0);
    high.append(0);
    interior.append(0);
    const std::int64_t elementBytes = static_cast<std::int64_t>(sizeOf(from.dtype));
    const kernels::CopyPlan plan =
        kernels::planPad(elementBytes, toKernelDims(from.shape), toKernelDims(from.strides), low, high, interior);
    builder_.add([kernels = &builder_.kernels, plan, source = from.data, to = padded_.data, elementBytes,
                  count = padded_.numElements()] {
      const double zero = 0;
      kernels->fill(elementBytes, &zero, count, to);
      kernels->copy(plan, source, to);
    });
  }

  // Every patch as a strided view of the padded image.
  View patchView(const Dims& patchShape) const {
    View view{padded_.dtype, patchShape, {}, padded_.data};
    for (std::size_t dim = 0; dim < n_; ++dim) view.strides.push_back(padded_.strides[dim] * a_.strides[dim]);
    for (std::size_t dim = 0; dim < n_; ++dim) view.strides.push_back(padded_.strides[dim] * a_.kernelDilation[dim]);
    view.strides.push_back(1);
    return view;
  }

  // The group's kernel, [kernel places x features, output features], turned round where it is run through backwards.
  View kernelMatrix(std::int64_t group, std::int64_t outputFeatures) {
    const std::int64_t elementBytes = static_cast<std::int64_t>(sizeOf(o_.kernel.dtype));
    View view{o_.kernel.dtype, spatialOf(o_.kernel), Dims(o_.kernel.strides.begin() + 2, o_.kernel.strides.end()),
              o_.kernel.as<char>() + group * outputFeatures * o_.kernel.strides[0] * elementBytes};
    view.shape.push_back(o_.kernel.shape[1]);
    view.strides.push_back(o_.kernel.strides[1]);
    view.shape.push_back(outputFeatures);
    view.strides.push_back(o_.kernel.strides[0]);
    kernels::Dims reversed;
    for (std::size_t dim = 0; dim < n_; ++dim) {
      if (a_.reversal[dim]) reversed.append(static_cast<std::int64_t>(dim));
    }
    const View matrix = builder_.temporary(view.dtype, view.shape);
    const kernels::CopyPlan plan =
        kernels::planReverse(elementBytes, toKernelDims(view.shape), toKernelDims(view.strides), reversed);
    builder_.add([run = builder_.kernels.copy, plan, source = view.data, to = matrix.data] { run(plan, source, to); });
    return contiguousView(matrix.dtype, {product(view.shape) / outputFeatures, outputFeatures}, matrix.data);
  }

  void addMatmul(const View& left, const View& right, const View& result) {
    const View sum = left.dtype == result.dtype ? result : builder_.temporary(left.dtype, result.shape);
    const std::int64_t m = left.shape[0], k = left.shape[1], n = right.shape[1];
    const kernels::MatmulPlan plan{left.dtype, 1, m, n, k, 0, k, 1, 0, n, 1};
    builder_.add(
        [run = builder_.kernels.matmul, plan, a = left.data, b = right.data, c = sum.data] { run(plan, a, b, c); });
    if (sum.data != result.data) builder_.addConvert(sum, result);
  }

  void addResult(const View& products, std::int64_t group, std::int64_t image, std::int64_t outputFeatures) {
    View from = contiguousView(products.dtype, spatialOf(o_.output), products.data);
    from.shape.push_back(outputFeatures);
    from.strides = contiguousStrides(from.shape);
    const std::int64_t offset = image * o_.output.strides[0] + group * outputFeatures * o_.output.strides[1];
    View to{o_.output.dtype, from.shape, Dims(o_.output.strides.begin() + 2, o_.output.strides.end()),
            o_.output.as<char>() + offset * static_cast<std::int64_t>(sizeOf(o_.output.dtype))};
    to.strides.push_back(o_.output.strides[1]);
    builder_.addCopy(from, to);
  }

  Builder& builder_;
  const Operands& o_;
  const Attributes& a_;
  const std::size_t n_;
  View padded_;
};

}  // namespace

bool convolution(Builder& builder, const Step& step) {
  const Attributes attributes = readAttributes(step.attributes);
  const Operands operands = readOperands(step);
  const DType dtype = step.inputs[0].dtype;
  const bool isEmpty = step.inputs[0].numElements() == 0 || step.inputs[1].numElements() == 0;
  const bool isForOneDnn = (dtype == DType::f32 || dtype == DType::bf16) && !isEmpty && operands.numSpatial() >= 1 &&
                           operands.numSpatial() <= 3;
  if (isForOneDnn) {
    Task task = byOneDnn(builder, operands, attributes);
    if (task) {
      builder.add(std::move(task));
      return true;
    }
  }
  if (isForOneDnn && dtype == DType::bf16) {  // a processor for which oneDNN has no convolution of bf16
    const View result = builder.temporary(DType::f32, step.outputs[0].shape);
    convolution(builder,
                {step.name,
                 step.attributes,
                 {builder.converted(step.inputs[0], DType::f32), builder.converted(step.inputs[1], DType::f32)},
                 {result},
                 nullptr});
    builder.addConvert(result, step.outputs[0]);
    return true;
  }
  PatchProduct(builder, operands, attributes).add();
  return true;
}

}  // namespace talweg::rules
