module @composites {
  func.func public @main(%x: tensor<2xf32>, %y: tensor<3xf32>) -> (
      tensor<2xf32> {jax.result_info = "result0"},
      tensor<2xf32> {jax.result_info = "result1"},
      tensor<3xf32> {jax.result_info = "result2"},
      tensor<2xf32> {jax.result_info = "result3"},
      tensor<2xf32> {jax.result_info = "result4"},
      tensor<2xf32> {jax.result_info = "result5"},
      tensor<2xf32> {jax.result_info = "result6"}
  ) {
    %0 = stablehlo.composite "talweg.gelu" %x {composite_attributes = {approximate = "tanh"}, decomposition = @gelu} : (tensor<2xf32>) -> tensor<2xf32>
    %1 = stablehlo.composite "talweg.gelu" %x {composite_attributes = {approximate = "tanh"}, decomposition = @gelu} : (tensor<2xf32>) -> tensor<2xf32>
    %2 = stablehlo.composite "talweg.gelu" %y {composite_attributes = {approximate = "none"}, decomposition = @gelu_1} : (tensor<3xf32>) -> tensor<3xf32>
    %3:2 = stablehlo.composite "talweg.remat" %x {decomposition = @remat} : (tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>)
    %4 = stablehlo.composite "talweg.softmaxCrossEntropy" %x {composite_attributes = {labelSmoothing = 0.1 : f64, ignoredTarget = -1 : i64}, decomposition = @gelu} : (tensor<2xf32>) -> tensor<2xf32>
    %5 = stablehlo.composite "talweg.softmaxCrossEntropy" %x {composite_attributes = {labelSmoothing = 0.0 : f64}, decomposition = @gelu} : (tensor<2xf32>) -> tensor<2xf32>
    return %0, %1, %2, %3#0, %3#1, %4, %5 : tensor<2xf32>, tensor<2xf32>, tensor<3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
  }
  func.func private @gelu(%x: tensor<2xf32>) -> (tensor<2xf32>) {
    %0 = stablehlo.tanh %x : tensor<2xf32>
    return %0 : tensor<2xf32>
  }
  func.func private @gelu_1(%x: tensor<3xf32>) -> (tensor<3xf32>) {
    %0 = stablehlo.logistic %x : tensor<3xf32>
    return %0 : tensor<3xf32>
  }
  func.func private @remat(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
    %0 = stablehlo.composite "talweg.gelu" %x {composite_attributes = {approximate = "tanh"}, decomposition = @gelu} : (tensor<2xf32>) -> tensor<2xf32>
    return %0, %x : tensor<2xf32>, tensor<2xf32>
  }
}
