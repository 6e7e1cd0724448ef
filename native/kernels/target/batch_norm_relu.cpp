// Batch norm, ReLU and max pooling together. Forward reads x twice (once for both statistics, by chunks that stay in
// cache) and writes the pooled result alone. Backward works out again from x what was normalised, which of a window is
// largest and whether it is above 0: once for the two sums, once for dx. Nothing of the images' size lies between.
#include "rows.h"

namespace talweg::kernels::TALWEG_TARGET_NAMESPACE {
namespace {

constexpr int64_t mostChunks = 64;

int64_t numRows(const BatchNormReluPlan& plan) {
  return plan.bands * plan.windowHeight * plan.columns * plan.windowWidth;
}

/// Elements from one row of an image to the next, and of a whole band.
int64_t rowElements(const BatchNormReluPlan& plan) { return plan.columns * plan.windowWidth * plan.width; }
int64_t bandElements(const BatchNormReluPlan& plan) { return rowElements(plan) * plan.windowHeight; }

/// body(chunk, begin, end) for each chunk of `count` rows or bands, of which there are so many whatever the threads.
template <class Body>
void forEachChunk(const BatchNormReluPlan& plan, int64_t count, const Body& body) {
  const int64_t perChunk = larger<int64_t>(1, ceilDiv(count, mostChunks));
  parallelFor(isWorthThreads(numRows(plan) * plan.width * 3), ceilDiv(count, perChunk),
              [&](int64_t chunk) { body(chunk, chunk * perChunk, smaller(count, (chunk + 1) * perChunk)); });
}
int64_t numChunksOf(int64_t count) { return ceilDiv(count, larger<int64_t>(1, ceilDiv(count, mostChunks))); }

/// The sum of term(row) over `rows` rows, each of four runs of at most 32 in f32.
template <class Term>
TALWEG_INLINE void sumRows(int64_t rows, F64& low, F64& high, const Term& term) {
  constexpr int64_t numRuns = 4, rowsInSingle = 32 * numRuns;
  low = high = F64{};
  for (int64_t begin = 0; begin < rows; begin += rowsInSingle) {
    const int64_t end = smaller(rows, begin + rowsInSingle);
    F32 sums[numRuns] = {};
    int64_t row = begin;
    for (; row + numRuns <= end; row += numRuns) {
      for (int run = 0; run < numRuns; run++) sums[run] += term(row + run);
    }
    for (; row < end; row++) sums[0] += term(row);
    F64 l, h;
    toDoubles((sums[0] + sums[1]) + (sums[2] + sums[3]), l, h);
    low += l;
    high += h;
  }
}

/// Known where it is compiled: whether a vector is whole, so that no load asks; a window's sizes, 0 where they are not.
template <bool areWhole>
struct Lanes {
  static constexpr bool isWhole = areWhole;
};
template <int height, int width>
struct WindowForm {};

/// body(column, count, Lanes) for each vector of channels.
template <class Body>
TALWEG_INLINE void forEachColumns(int64_t width, const Body& body) {
  int64_t column = 0;
  for (; column + lanes <= width; column += lanes) body(column, static_cast<int64_t>(lanes), Lanes<true>{});
  if (column < width) body(column, width - column, Lanes<false>{});
}

template <bool isWhole, class T>
TALWEG_INLINE F32 loadLanes(const T* p, int64_t count) {
  if constexpr (isWhole) {
    return load(p);
  } else {
    return loadPartial(p, count);
  }
}
template <bool isWhole, class T>
TALWEG_INLINE void storeLanes(T* p, F32 v, int64_t count) {
  if constexpr (isWhole) {
    store(p, v);
  } else {
    storePartial(p, v, count);
  }
}

/// function(WindowForm) with the sizes that most windows have known to the compiler.
template <class Function>
void withWindow(const BatchNormReluPlan& plan, const Function& function) {
  if (plan.windowHeight == 1 && plan.windowWidth == 1) return function(WindowForm<1, 1>{});
  if (plan.windowHeight == 2 && plan.windowWidth == 2) return function(WindowForm<2, 2>{});
  function(WindowForm<0, 0>{});
}

/// Sums, and sums of squared distances from the chunk's own mean, of some columns.
template <bool isWhole, class X>
void columnMoments(int64_t rows, int64_t width, const X* x, int64_t count, double* sums, double* squares) {
  const auto at = [&](int64_t row) { return loadLanes<isWhole>(x + row * width, count); };
  F64 low, high;
  sumRows(rows, low, high, at);
  storeDoubles(sums, low, high, count);
  const double inverse = 1.0 / static_cast<double>(rows);
  const F32 centre = toFloats(low * inverse, high * inverse);
  sumRows(rows, low, high, [&](int64_t row) {
    const F32 distance = at(row) - centre;
    return distance * distance;
  });
  storeDoubles(squares, low, high, count);
}

template <class X>
void chunkMoments(int64_t rows, int64_t width, const X* x, double* sums, double* squares) {
  forEachColumns(width, [&](int64_t column, int64_t count, auto whole) {
    columnMoments<decltype(whole)::isWhole>(rows, width, x + column, count, sums + column, squares + column);
  });
}

/// Both statistics in one pass over memory: the squared distances from the chunks' means, and those of the means.
template <class X>
void statistics(const BatchNormReluPlan& plan, const X* x, float* mean, float* variance, double* scratch) {
  const int64_t rows = numRows(plan), width = plan.width;
  const auto sumsOf = [&](int64_t chunk) { return scratch + chunk * 2 * width; };
  forEachChunk(plan, rows, [&](int64_t chunk, int64_t begin, int64_t end) {
    chunkMoments(end - begin, width, x + begin * width, sumsOf(chunk), sumsOf(chunk) + width);
  });
  const int64_t numChunks = numChunksOf(rows), perChunk = larger<int64_t>(1, ceilDiv(rows, mostChunks));
  for (int64_t column = 0; column < width; column++) {
    double total = 0, squares = 0;
    for (int64_t chunk = 0; chunk < numChunks; chunk++) total += sumsOf(chunk)[column];
    const double centre = total / static_cast<double>(rows);
    for (int64_t chunk = 0; chunk < numChunks; chunk++) {
      const double inChunk = static_cast<double>(smaller(rows, (chunk + 1) * perChunk) - chunk * perChunk);
      const double distance = sumsOf(chunk)[column] / inChunk - centre;
      squares += sumsOf(chunk)[width + column] + inChunk * distance * distance;
    }
    mean[column] = static_cast<float>(centre);
    variance[column] = static_cast<float>(squares / static_cast<double>(rows));
  }
}

/// scale = weight / sqrt(variance + epsilon)
void scalesOf(const BatchNormReluPlan& plan, const float* weight, const float* variance, float* rstd, float* scale) {
  for (int64_t i = 0; i < plan.width; i++) {
    const double inverse = 1.0 / __builtin_sqrt(static_cast<double>(variance[i]) + static_cast<double>(plan.epsilon));
    rstd[i] = static_cast<float>(inverse);
    scale[i] = static_cast<float>(inverse * static_cast<double>(weight[i]));
  }
}

/// One vector of channels of a band, and how x is normalised there. Which element of a window is largest is asked of
/// x - mean itself, turned round where the scale is negative: what is normalised is in the same order.
template <class X, int height, int sideways, bool isWhole>
struct Strip {
  const X* x;
  F32 mean, scale, bias;
  int64_t rowElements, width, windowHeight, windowWidth, count;

  TALWEG_INLINE int64_t rows() const { return height > 0 ? height : windowHeight; }
  TALWEG_INLINE int64_t columns() const { return sideways > 0 ? sideways : windowWidth; }
  TALWEG_INLINE F32 centred(int64_t at) const { return loadLanes<isWhole>(x + at, count) - mean; }
  TALWEG_INLINE F32 turned(F32 centred) const {
    return bitcast<F32>(bitcast<U32>(centred) ^ (bitcast<U32>(scale) & 0x80000000u));
  }
  TALWEG_INLINE F32 normal(F32 centred) const { return fma(centred, scale, bias); }
  TALWEG_INLINE int64_t first(int64_t window) const { return window * columns() * width; }
  /// body(offset) for each element of a window, the first one included.
  template <class Body>
  TALWEG_INLINE void forEach(int64_t window, const Body& body) const {
    for (int64_t i = 0; i < rows(); i++) {
      for (int64_t k = 0; k < columns(); k++) body(first(window) + i * rowElements + k * width);
    }
  }
  TALWEG_INLINE F32 largest(int64_t window) const {
    F32 most = turned(centred(first(window)));
    if (height == 1 && sideways == 1) return most;
    forEach(window, [&](int64_t at) { most = maxFast(most, turned(centred(at))); });
    return most;
  }
};

/// body(strip, column, count, Lanes) for each vector of channels of a band.
template <class X, int height, int sideways, class Body>
TALWEG_INLINE void forEachStrip(const BatchNormReluPlan& plan, WindowForm<height, sideways>, const X* band,
                                const float* mean, const float* scale, const float* bias, const Body& body) {
  forEachColumns(plan.width, [&](int64_t column, int64_t count, auto whole) {
    const Strip<X, height, sideways, decltype(whole)::isWhole> strip{band + column,
                                                                     loadUpTo(mean + column, count),
                                                                     loadUpTo(scale + column, count),
                                                                     loadUpTo(bias + column, count),
                                                                     rowElements(plan),
                                                                     plan.width,
                                                                     plan.windowHeight,
                                                                     plan.windowWidth,
                                                                     count};
    body(strip, column, count, whole);
  });
}

template <class X, class Y, class Form>
void forward(const BatchNormReluPlan& plan, Form form, const X* x, const float* weight, const float* bias, Y* y,
             float* mean, float* variance, void* scratch) {
  double* sums = static_cast<double*>(scratch);
  float* rstd = reinterpret_cast<float*>(sums + mostChunks * 2 * plan.width);
  float* scale = rstd + plan.width;
  statistics(plan, x, mean, variance, sums);
  scalesOf(plan, weight, variance, rstd, scale);
  forEachChunk(plan, plan.bands, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t band = begin; band < end; band++) {
      Y* results = y + band * plan.columns * plan.width;
      forEachStrip(plan, form, x + band * bandElements(plan), mean, scale, bias,
                   [&](const auto& strip, int64_t column, int64_t count, auto whole) {
                     for (int64_t window = 0; window < plan.columns; window++) {
                       const F32 normal = strip.normal(strip.turned(strip.largest(window)));
                       storeLanes<decltype(whole)::isWhole>(results + window * plan.width + column,
                                                            maximum(normal, F32{}), count);
                     }
                   });
    }
  });
}

/// dy of a window where its largest is above 0, and that one's distance from the mean. Where the scale is 0 all are as
/// large, and it is the first.
template <bool isWhole, class Channels, class G>
TALWEG_INLINE F32 passedOn(const Channels& strip, int64_t window, F32 largest, const G* dy, F32& centred) {
  const F32 first = strip.centred(strip.first(window));
  centred = strip.scale == 0.0f ? first : strip.turned(largest);
  const F32 gradient = loadLanes<isWhole>(dy, strip.count);
  return strip.normal(centred) > 0.0f ? gradient : F32{};
}

/// Sums over all windows of the gradient, and of it times the distance from the mean, into sums[0..2 width).
template <class X, class G, class Form>
void sumGradients(const BatchNormReluPlan& plan, Form form, const X* x, const G* dy, const float* mean,
                  const float* scale, const float* bias, double* scratch) {
  constexpr int64_t windowsInSingle = 32;
  const int64_t width = plan.width;
  forEachChunk(plan, plan.bands, [&](int64_t chunk, int64_t begin, int64_t end) {
    double* sums = scratch + chunk * 2 * width;
    for (int64_t i = 0; i < 2 * width; i++) sums[i] = 0;
    for (int64_t band = begin; band < end; band++) {
      const G* gradients = dy + band * plan.columns * width;
      forEachStrip(plan, form, x + band * bandElements(plan), mean, scale, bias,
                   [&](const auto& strip, int64_t column, int64_t count, auto whole) {
                     for (int64_t block = 0; block < plan.columns; block += windowsInSingle) {
                       F32 plain = {}, weighted = {};
                       for (int64_t window = block; window < smaller(plan.columns, block + windowsInSingle); window++) {
                         F32 centred;
                         const G* from = gradients + window * width + column;
                         const F32 gradient =
                             passedOn<decltype(whole)::isWhole>(strip, window, strip.largest(window), from, centred);
                         plain += gradient;
                         weighted = fma(gradient, centred, weighted);
                       }
                       addDoubles(sums + column, plain, count);
                       addDoubles(sums + width + column, weighted, count);
                     }
                   });
    }
  });
  joinChunks(numChunksOf(plan.bands), 2 * width, scratch);
}

/// dx = scale (g - mean(g) - n mean(g n)), with n = (x - mean) rstd, as scale g + slope (x - mean) + shift
template <class X, class G, class R, class Form>
void storeGradients(const BatchNormReluPlan& plan, Form form, const X* x, const G* dy, const float* mean,
                    const float* scale, const float* bias, const float* slope, const float* shift, R* dx) {
  forEachChunk(plan, plan.bands, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t band = begin; band < end; band++) {
      const G* gradients = dy + band * plan.columns * plan.width;
      R* results = dx + band * bandElements(plan);
      forEachStrip(plan, form, x + band * bandElements(plan), mean, scale, bias,
                   [&](const auto& strip, int64_t column, int64_t count, auto whole) {
                     constexpr bool isWhole = decltype(whole)::isWhole;
                     const F32 slopes = loadUpTo(slope + column, count), shifts = loadUpTo(shift + column, count);
                     for (int64_t window = 0; window < plan.columns; window++) {
                       const F32 largest = strip.largest(window);
                       F32 chosen;
                       const G* from = gradients + window * plan.width + column;
                       // The first that is as large as the largest takes all that there is to give.
                       F32 rest = strip.scale * passedOn<isWhole>(strip, window, largest, from, chosen);
                       strip.forEach(window, [&](int64_t at) {
                         const F32 centred = strip.centred(at);
                         const F32 taken = (strip.turned(centred) == largest) | (strip.scale == 0.0f) ? rest : F32{};
                         rest -= taken;
                         storeLanes<isWhole>(results + column + at, taken + fma(centred, slopes, shifts), count);
                       });
                     }
                   });
    }
  });
}

template <class X, class G, class R, class Form>
void backward(const BatchNormReluPlan& plan, Form form, const G* dy, const X* x, const float* weight, const float* bias,
              const float* mean, const float* variance, R* dx, float* dweight, float* dbias, void* scratch) {
  const int64_t width = plan.width;
  double* sums = static_cast<double*>(scratch);
  float* rstd = reinterpret_cast<float*>(sums + mostChunks * 2 * width);
  float *scale = rstd + width, *slope = scale + width, *shift = slope + width;
  scalesOf(plan, weight, variance, rstd, scale);
  sumGradients(plan, form, x, dy, mean, scale, bias, sums);
  const float inverse = 1.0f / static_cast<float>(numRows(plan));
  for (int64_t i = 0; i < width; i++) {
    dbias[i] = static_cast<float>(sums[i]);
    dweight[i] = static_cast<float>(sums[width + i] * static_cast<double>(rstd[i]));
    slope[i] = -scale[i] * rstd[i] * (dweight[i] * inverse);
    shift[i] = -scale[i] * (dbias[i] * inverse);
  }
  storeGradients(plan, form, x, dy, mean, scale, bias, slope, shift, dx);
}

}  // namespace

void batchNormRelu(const BatchNormReluPlan& plan, const void* x, const float* weight, const float* bias, void* y,
                   float* mean, float* variance, void* scratch) {
  withType(plan.inputDType, [&](auto input) {
    withType(plan.outputDType, [&](auto output) {
      withWindow(plan, [&](auto form) {
        forward(plan, form, static_cast<const decltype(input)*>(x), weight, bias, static_cast<decltype(output)*>(y),
                mean, variance, scratch);
      });
    });
  });
}

void batchNormReluGradient(const BatchNormReluPlan& plan, const void* dy, const void* x, const float* weight,
                           const float* bias, const float* mean, const float* variance, void* dx, float* dweight,
                           float* dbias, void* scratch) {
  withType(plan.inputDType, [&](auto input) {
    withType(plan.gradientDType, [&](auto gradient) {
      withType(plan.resultDType, [&](auto result) {
        withWindow(plan, [&](auto form) {
          backward(plan, form, static_cast<const decltype(gradient)*>(dy), static_cast<const decltype(input)*>(x),
                   weight, bias, mean, variance, static_cast<decltype(result)*>(dx), dweight, dbias, scratch);
        });
      });
    });
  });
}

}  // namespace talweg::kernels::TALWEG_TARGET_NAMESPACE
