// A plain batched product for the element types that oneDNN has none for.
//
// The result is cut into tiles; for each, pieces of b are packed into a row-major panel that stays in the first-level
// cache, whatever b's strides, and multiplied by four rows of a at a time. A result of few elements over a long sum is
// cut along the sum instead, into pieces fixed by the sizes alone, whose sums are added in order.
#include "vector.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

constexpr int tileRows = 32;
constexpr int microRows = 4;
constexpr int panelColumns = 16;
constexpr int panelDepth = 128;
constexpr int64_t longSum = 16384;
constexpr int maxPieces = 16;
constexpr int fewResults = 1024;

/// How elements are multiplied and summed: T in memory, Sum while summing.
template <class T, class Sum>
struct Arithmetic {
  using Element = T;
  using Total = Sum;
  static TALWEG_INLINE Sum load(const T& x) { return static_cast<Sum>(x); }
  static TALWEG_INLINE T store(Sum x) { return static_cast<T>(x); }
  static TALWEG_INLINE Sum add(Sum sum, Sum a, Sum b) { return sum + a * b; }
  static TALWEG_INLINE Sum join(Sum a, Sum b) { return a + b; }
};
struct BFloat16Arithmetic {
  using Element = BFloat16;
  using Total = float;
  static TALWEG_INLINE float load(const BFloat16& x) { return loadScalar(&x); }
  static TALWEG_INLINE BFloat16 store(float x) {
    BFloat16 result;
    storeScalar(&result, x);
    return result;
  }
  static TALWEG_INLINE float add(float sum, float a, float b) { return sum + a * b; }
  static TALWEG_INLINE float join(float a, float b) { return a + b; }
};
struct BooleanArithmetic {
  using Element = uint8_t;
  using Total = uint8_t;
  static TALWEG_INLINE uint8_t load(uint8_t x) { return x; }
  static TALWEG_INLINE uint8_t store(uint8_t x) { return x; }
  static TALWEG_INLINE uint8_t add(uint8_t sum, uint8_t a, uint8_t b) { return sum | (a & b); }
  static TALWEG_INLINE uint8_t join(uint8_t a, uint8_t b) { return a | b; }
};

template <class A>
struct Product {
  using T = typename A::Element;
  using Sum = typename A::Total;

  /// sums[rows][panelColumns] += a[rows][depth] panel[depth][panelColumns]
  static void multiplyPanel(const MatmulPlan& p, const T* a, int64_t rows, int64_t depth, const Sum* panel, Sum* sums) {
    for (int64_t row = 0; row < rows; row += microRows) {
      const int64_t count = smaller<int64_t>(rows - row, microRows);
      Sum total[microRows][panelColumns];
      std::memcpy(total, sums + row * panelColumns, static_cast<size_t>(count) * panelColumns * sizeof(Sum));
      for (int64_t k = 0; k < depth; k++) {
        for (int64_t r = 0; r < count; r++) {
          const Sum x = A::load(a[(row + r) * p.aRowStride + k * p.aColumnStride]);
          for (int c = 0; c < panelColumns; c++) total[r][c] = A::add(total[r][c], x, panel[k * panelColumns + c]);
        }
      }
      std::memcpy(sums + row * panelColumns, total, static_cast<size_t>(count) * panelColumns * sizeof(Sum));
    }
  }

  static void packPanel(const MatmulPlan& p, const T* b, int64_t depth, int64_t columns, Sum* panel) {
    for (int64_t k = 0; k < depth; k++) {
      for (int64_t c = 0; c < panelColumns; c++) {
        panel[k * panelColumns + c] = c < columns ? A::load(b[k * p.bRowStride + c * p.bColumnStride]) : Sum{};
      }
    }
  }

  static void runTile(const MatmulPlan& p, const T* a, const T* b, T* c, int64_t row, int64_t column) {
    const int64_t rows = smaller<int64_t>(p.m - row, tileRows), columns = smaller<int64_t>(p.n - column, panelColumns);
    Sum sums[tileRows * panelColumns] = {};
    Sum panel[panelDepth * panelColumns];
    for (int64_t k = 0; k < p.k; k += panelDepth) {
      const int64_t depth = smaller<int64_t>(p.k - k, panelDepth);
      packPanel(p, b + k * p.bRowStride + column * p.bColumnStride, depth, columns, panel);
      multiplyPanel(p, a + row * p.aRowStride + k * p.aColumnStride, rows, depth, panel, sums);
    }
    for (int64_t r = 0; r < rows; r++) {
      for (int64_t i = 0; i < columns; i++) c[(row + r) * p.n + column + i] = A::store(sums[r * panelColumns + i]);
    }
  }

  /// One piece of a long sum, for all results: along the sum outermost, so that a and b are read as they lie.
  static void runPiece(const MatmulPlan& p, const T* a, const T* b, int64_t begin, int64_t end, Sum* sums) {
    for (int64_t i = 0; i < p.m * p.n; i++) sums[i] = Sum{};
    for (int64_t k = begin; k < end; k++) {
      const T* left = a + k * p.aColumnStride;
      const T* right = b + k * p.bRowStride;
      for (int64_t r = 0; r < p.m; r++) {
        const Sum x = A::load(left[r * p.aRowStride]);
        for (int64_t i = 0; i < p.n; i++)
          sums[r * p.n + i] = A::add(sums[r * p.n + i], x, A::load(right[i * p.bColumnStride]));
      }
    }
  }

  static void runLong(const MatmulPlan& p, const T* a, const T* b, T* c) {
    Sum sums[maxPieces * fewResults];
    const int64_t pieces = smaller<int64_t>(maxPieces, p.k / (longSum / 4));
    const int64_t length = ceilDiv(p.k, pieces);
#pragma omp parallel for schedule(static)
    for (int64_t piece = 0; piece < pieces; piece++) {
      runPiece(p, a, b, piece * length, smaller(p.k, (piece + 1) * length), sums + piece * fewResults);
    }
    for (int64_t i = 0; i < p.m * p.n; i++) {
      Sum total = sums[i];
      for (int64_t piece = 1; piece < pieces; piece++) total = A::join(total, sums[piece * fewResults + i]);
      c[i] = A::store(total);
    }
  }

  /// One column is better one row: its panel is then full.
  static MatmulPlan transposed(const MatmulPlan& p) {
    return {p.dtype,        p.batch,         p.n,         p.m, p.k, p.bBatchStride, p.bColumnStride, p.bRowStride,
            p.aBatchStride, p.aColumnStride, p.aRowStride};
  }

  static void run(const MatmulPlan& p, const void* left, const void* right, void* result) {
    if (p.n == 1 && p.m > 1) return run(transposed(p), right, left, result);
    const T* a = static_cast<const T*>(left);
    const T* b = static_cast<const T*>(right);
    T* c = static_cast<T*>(result);
    if (p.k >= longSum && p.m * p.n <= fewResults) {
      for (int64_t batch = 0; batch < p.batch; batch++) {
        runLong(p, a + batch * p.aBatchStride, b + batch * p.bBatchStride, c + batch * p.m * p.n);
      }
      return;
    }
    const int64_t rowTiles = ceilDiv(p.m, tileRows), columnTiles = ceilDiv(p.n, panelColumns);
    const int64_t numTiles = p.batch * rowTiles * columnTiles;
#pragma omp parallel for schedule(static) if (isWorthThreads(p.batch * p.m * p.n * p.k))
    for (int64_t tile = 0; tile < numTiles; tile++) {
      const int64_t batch = tile / (rowTiles * columnTiles), inBatch = tile % (rowTiles * columnTiles);
      runTile(p, a + batch * p.aBatchStride, b + batch * p.bBatchStride, c + batch * p.m * p.n,
              inBatch / columnTiles * tileRows, inBatch % columnTiles * panelColumns);
    }
  }
};

}  // namespace

void matmul(const MatmulPlan& plan, const void* a, const void* b, void* c) {
  switch (plan.dtype) {
    case DType::f64:
      return Product<Arithmetic<double, double>>::run(plan, a, b, c);
    case DType::f32:
      return Product<Arithmetic<float, float>>::run(plan, a, b, c);
    case DType::bf16:
      return Product<BFloat16Arithmetic>::run(plan, a, b, c);
    case DType::i32:
    case DType::u32:
      return Product<Arithmetic<uint32_t, uint32_t>>::run(plan, a, b, c);
    case DType::u8:
      return Product<Arithmetic<uint8_t, uint8_t>>::run(plan, a, b, c);
    case DType::boolean:
      return Product<BooleanArithmetic>::run(plan, a, b, c);
  }
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
