// General dot products as batched matrix products.
//
// The dimensions of each operand fall into three groups: batch, free and contracted. Where each group can be walked
// with a single stride the operand is used as it lies, transposed or not; otherwise it is first copied. Floats of 16
// and 32 bits go to oneDNN, everything else to the engine's own product.
#include "engine/rules/product.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "engine/rules.h"

namespace talweg::rules {
namespace {

Dims freeDims(const View& view, const Dims& batch, const Dims& contracting) {
  Dims result;
  for (std::int64_t dim = 0; dim < static_cast<std::int64_t>(view.rank()); ++dim) {
    const bool isTaken =
        std::count(batch.begin(), batch.end(), dim) + std::count(contracting.begin(), contracting.end(), dim);
    if (!isTaken) result.push_back(dim);
  }
  return result;
}

Dims joined(const Dims& first, const Dims& second, const Dims& third) {
  Dims result = first;
  result.insert(result.end(), second.begin(), second.end());
  result.insert(result.end(), third.begin(), third.end());
  return result;
}

// The view with each of three groups of dimensions as one, or nothing where one of them has no single stride.
std::optional<View> grouped(const View& view, const Dims& first, const Dims& second, const Dims& third) {
  const View ordered = transposed(view, joined(first, second, third));
  View result{view.dtype, {}, {}, view.data};
  std::size_t begin = 0;
  for (const Dims* group : {&first, &second, &third}) {
    const std::size_t end = begin + group->size();
    std::int64_t stride = 1;
    if (!collapse(ordered, begin, end, &stride)) return std::nullopt;
    result.shape.push_back(product(Dims(ordered.shape.begin() + begin, ordered.shape.begin() + end)));
    result.strides.push_back(stride);
    begin = end;
  }
  return result;
}

// oneDNN's fast products take row- or column-major matrices. Strides of dimensions of one element say nothing: they are
// set so that the matrix is one of the two.
bool makePlain(View& matrices) {
  std::int64_t& rowStride = matrices.strides[1];
  std::int64_t& columnStride = matrices.strides[2];
  const std::int64_t rows = matrices.shape[1], columns = matrices.shape[2];
  if (matrices.strides[0] == 0 && matrices.shape[0] > 1) return false;  // a matrix repeated
  if (rows == 1 && columns == 1) rowStride = columnStride = 1;
  if (rows == 1 && columns > 1) {
    if (columnStride == 1)
      rowStride = columns;
    else
      rowStride = 1;
  } else if (columns == 1 && rows > 1) {
    if (rowStride == 1)
      columnStride = rows;
    else
      columnStride = 1;
  }
  if (matrices.shape[0] == 1) matrices.strides[0] = rows * columns;
  const bool isRowMajor = columnStride == 1 && rowStride >= columns;
  const bool isColumnMajor = rowStride == 1 && columnStride >= rows;
  return isRowMajor || isColumnMajor;
}

View withoutBatch(const View& matrices) {
  return {matrices.dtype,
          {matrices.shape[1], matrices.shape[2]},
          {matrices.strides[1], matrices.strides[2]},
          matrices.data};
}

class Product {
 public:
  Product(Builder& builder, const Data& attributes, const View& left, const View& right)
      : builder_(builder),
        leftBatch_(attributes["leftBatch"].integers()),
        rightBatch_(attributes["rightBatch"].integers()),
        leftContracting_(attributes["leftContracting"].integers()),
        rightContracting_(attributes["rightContracting"].integers()) {
    orderContracting(left, right);
    leftFree_ = freeDims(left, leftBatch_, leftContracting_);
    rightFree_ = freeDims(right, rightBatch_, rightContracting_);
  }

  // [batch, rows, contracted], and [batch, contracted, columns].
  View left(const View& view, bool mustBePlain) {
    return matrices(view, leftBatch_, leftFree_, leftContracting_, mustBePlain);
  }
  View right(const View& view, bool mustBePlain) {
    return matrices(view, rightBatch_, rightContracting_, rightFree_, mustBePlain);
  }
  bool hasOneColumnDim() const { return rightFree_.size() == 1; }

 private:
  // The pairs may be summed in any order: that of the left operand's memory, or else of the right one's, may save a
  // copy.
  void orderContracting(const View& left, const View& right) {
    std::vector<std::size_t> order(leftContracting_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      const std::int64_t strideA = left.strides[leftContracting_[a]], strideB = left.strides[leftContracting_[b]];
      if (strideA != strideB) return strideA > strideB;
      return right.strides[rightContracting_[a]] > right.strides[rightContracting_[b]];
    });
    Dims leftDims, rightDims;
    for (std::size_t i : order) {
      leftDims.push_back(leftContracting_[i]);
      rightDims.push_back(rightContracting_[i]);
    }
    leftContracting_ = leftDims;
    rightContracting_ = rightDims;
  }

  View matrices(const View& view, const Dims& first, const Dims& second, const Dims& third, bool mustBePlain) {
    std::optional<View> result = grouped(view, first, second, third);
    if (result && (!mustBePlain || makePlain(*result))) return *result;
    const View ordered = transposed(view, joined(first, second, third));
    View copy = builder_.temporary(view.dtype, ordered.shape);
    builder_.addCopy(ordered, copy);
    const auto count = [&](const Dims& dims) {
      std::int64_t size = 1;
      for (std::int64_t dim : dims) size *= view.shape[dim];
      return size;
    };
    return contiguousView(view.dtype, {count(first), count(second), count(third)}, copy.data);
  }

  Builder& builder_;
  Dims leftBatch_, rightBatch_, leftContracting_, rightContracting_, leftFree_, rightFree_;
};

// The engine's own product, in the operands' type.
void addPlainProduct(Builder& builder, Product& product, const View& left, const View& right, const View& result) {
  const View a = product.left(left, false);
  const View b = product.right(right, false);
  const kernels::MatmulPlan plan{a.dtype,      a.shape[0],   a.shape[1],   b.shape[2],   a.shape[2],  a.strides[0],
                                 a.strides[1], a.strides[2], b.strides[0], b.strides[1], b.strides[2]};
  builder.add([run = builder.kernels.matmul, plan, x = a.data, y = b.data, z = result.data] { run(plan, x, y, z); });
}

// The type in which products are summed: the result's or better.
DType computeType(DType operands, DType result) {
  if (operands == DType::f64 || result == DType::f64) return DType::f64;
  if (isFloat(operands) || isFloat(result)) return operands == DType::bf16 ? DType::bf16 : DType::f32;
  return result;
}

void addZeros(Builder& builder, const View& result) {
  builder.add(
      [to = result.data, sizeBytes = result.sizeBytes()] { std::fill_n(static_cast<char*>(to), sizeBytes, 0); });
}

}  // namespace

bool addProduct(Builder& builder, const Data& attributes, const View& left, const View& right, const View& result,
                const float* bias, onednn::Activation activation) {
  Product product(builder, attributes, left, right);
  const bool isPlain = bias == nullptr && activation == onednn::Activation::none;
  if (bias != nullptr && !product.hasOneColumnDim()) return false;
  const DType dtype = computeType(left.dtype, result.dtype);
  const bool isEmpty = left.numElements() == 0 || right.numElements() == 0;
  if (!isPlain && (isEmpty || (dtype != DType::f32 && dtype != DType::bf16))) return false;
  if (isEmpty) {
    addZeros(builder, result);
    return true;
  }
  if (left.dtype != dtype || right.dtype != dtype) {
    return addProduct(builder, attributes, builder.converted(left, dtype), builder.converted(right, dtype), result,
                      bias, activation);
  }
  const bool isForOneDnn = dtype == DType::f32 || dtype == DType::bf16;
  const bool isResultType = isForOneDnn ? result.dtype == dtype || result.dtype == DType::f32 : result.dtype == dtype;
  if (!isResultType) {
    if (!isPlain) return false;
    const View sum = builder.temporary(dtype == DType::bf16 ? DType::f32 : dtype, result.shape);
    addProduct(builder, attributes, left, right, sum, nullptr, activation);
    builder.addConvert(sum, result);
    return true;
  }
  if (!isForOneDnn) {
    addPlainProduct(builder, product, left, right, result);
    return true;
  }
  const View a = product.left(left, true);
  const View b = product.right(right, true);
  const std::int64_t batch = a.shape[0];
  const View c = contiguousView(result.dtype, {batch, a.shape[1], b.shape[2]}, result.data);
  Task task = batch == 1 ? onednn::prepareMatmul(builder.session, builder.scratch, withoutBatch(a), withoutBatch(b),
                                                 withoutBatch(c), bias, activation)
                         : onednn::prepareMatmul(builder.session, builder.scratch, a, b, c, bias, activation);
  if (task) {
    builder.add(std::move(task));
    return true;
  }
  if (!isPlain) return false;
  // A processor for which oneDNN has no product of bf16.
  if (dtype == DType::bf16) {
    const View sum = result.dtype == DType::f32 ? result : builder.temporary(DType::f32, result.shape);
    addProduct(builder, attributes, builder.converted(left, DType::f32), builder.converted(right, DType::f32), sum,
               nullptr, activation);
    if (sum.data != result.data) builder.addConvert(sum, result);
    return true;
  }
  addPlainProduct(builder, product, left, right, result);
  return true;
}

bool dotGeneral(Builder& builder, const Step& step) {
  return addProduct(builder, step.attributes, step.inputs[0], step.inputs[1], step.outputs[0], nullptr,
                    onednn::Activation::none);
}

}  // namespace talweg::rules
