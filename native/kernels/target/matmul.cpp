// A plain batched product for the element types that oneDNN has none for.
//
// The result is cut into tiles; for each, pieces of b are packed into a row-major panel that stays in the first-level
// cache, whatever b's strides, and multiplied by six rows of a at a time. A result of few elements over a long sum is
// cut along the sum instead, into pieces fixed by the sizes alone, whose sums are added in order.
#include "vector.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

constexpr int tileRows = 48;
constexpr int microRows = 6;
constexpr int panelColumns = 16;
constexpr int panelDepth = 128;
constexpr int64_t longSum = 16384;
constexpr int maxPieces = 16;
constexpr int fewResults = 1024;

/// How elements are multiplied and summed: T in memory, Sum while summing, one by one or in vectors of them.
template <class T, class Sum>
struct Arithmetic {
  using Element = T;
  using Total = Sum;
  static TALWEG_INLINE Sum load(const T& x) { return static_cast<Sum>(x); }
  static TALWEG_INLINE T store(Sum x) { return static_cast<T>(x); }
  template <class V>
  static TALWEG_INLINE V add(V sum, V a, V b) { return sum + a * b; }
  static TALWEG_INLINE F32 add(F32 sum, F32 a, F32 b) { return fma(a, b, sum); }
  static TALWEG_INLINE F64 add(F64 sum, F64 a, F64 b) { return fma(a, b, sum); }
  static TALWEG_INLINE Sum join(Sum a, Sum b) { return a + b; }
};
struct BFloat16Arithmetic : Arithmetic<float, float> {
  using Element = BFloat16;
  static TALWEG_INLINE float load(const BFloat16& x) { return loadScalar(&x); }
  static TALWEG_INLINE BFloat16 store(float x) {
    BFloat16 result;
    storeScalar(&result, x);
    return result;
  }
};
struct BooleanArithmetic {
  using Element = uint8_t;
  using Total = uint8_t;
  static TALWEG_INLINE uint8_t load(uint8_t x) { return x; }
  static TALWEG_INLINE uint8_t store(uint8_t x) { return x; }
  template <class V>
  static TALWEG_INLINE V add(V sum, V a, V b) { return static_cast<V>(sum | (a & b)); }
  static TALWEG_INLINE uint8_t join(uint8_t a, uint8_t b) { return a | b; }
};

template <class A>
struct Product {
  using T = typename A::Element;
  using Sum = typename A::Total;

  static constexpr int width = sizeof(Sum) == 8 ? lanes / 2 : lanes;
  static constexpr int numVectors = panelColumns / width;
  using V = Vector<Sum, width>;

  /// sums[rows][panelColumns] += a[rows][depth] panel[depth][panelColumns], in registers.
  template <int rows>
  static void multiplyRows(const MatmulPlan& p, const T* a, int64_t depth, const Sum* panel, Sum* sums) {
    V total[rows][numVectors];
    for (int r = 0; r < rows; r++) {
      for (int v = 0; v < numVectors; v++) total[r][v] = loadAs<V>(sums + r * panelColumns + v * width);
    }
    for (int64_t k = 0; k < depth; k++) {
      V right[numVectors];
      for (int v = 0; v < numVectors; v++) right[v] = loadAs<V>(panel + k * panelColumns + v * width);
      for (int r = 0; r < rows; r++) {
        const V left = V{} + A::load(a[r * p.aRowStride + k * p.aColumnStride]);
        for (int v = 0; v < numVectors; v++) total[r][v] = A::add(total[r][v], left, right[v]);
      }
    }
    for (int r = 0; r < rows; r++) {
      for (int v = 0; v < numVectors; v++) storeAs<V>(sums + r * panelColumns + v * width, total[r][v]);
    }
  }

  static void multiplyPanel(const MatmulPlan& p, const T* a, int64_t rows, int64_t depth, const Sum* panel, Sum* sums) {
    int64_t row = 0;
    for (; row + microRows <= rows; row += microRows) {
      multiplyRows<microRows>(p, a + row * p.aRowStride, depth, panel, sums + row * panelColumns);
    }
    for (; row < rows; row++) multiplyRows<1>(p, a + row * p.aRowStride, depth, panel, sums + row * panelColumns);
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
    parallelFor(true, pieces, [&](int64_t piece) {
      runPiece(p, a, b, piece * length, smaller(p.k, (piece + 1) * length), sums + piece * fewResults);
    });
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
    parallelFor(isWorthThreads(p.batch * p.m * p.n * p.k), numTiles, [&](int64_t tile) {
      const int64_t batch = tile / (rowTiles * columnTiles), inBatch = tile % (rowTiles * columnTiles);
      runTile(p, a + batch * p.aBatchStride, b + batch * p.bBatchStride, c + batch * p.m * p.n,
              inBatch / columnTiles * tileRows, inBatch % columnTiles * panelColumns);
    });
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
