module @step {
  func.func public @main(
      %w1: tensor<6x8xf32>,
      %b1: tensor<8xf32>,
      %w2: tensor<8x3xf32>,
      %x: tensor<4x6xf32>,
      %y: tensor<4x3xf32>
  ) -> (
      tensor<f32> {jax.result_info = "loss"},
      tensor<6x8xf32> {jax.result_info = "new w1"},
      tensor<8xf32> {jax.result_info = "new b1"},
      tensor<8x3xf32> {jax.result_info = "new w2"}
  ) {
    %0 = stablehlo.composite "talweg.dotEpilogue" %x, %w1, %b1 {decomposition = @dotEpilogue} : (tensor<4x6xf32>, tensor<6x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
    %1 = stablehlo.constant dense<0.0> : tensor<f32>
    %2 = stablehlo.broadcast_in_dim %1, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %3 = stablehlo.maximum %0, %2 : tensor<4x8xf32>
    %4 = stablehlo.dot_general %3, %w2, contracting_dims = [1] x [0] : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
    %5 = stablehlo.subtract %4, %y : tensor<4x3xf32>
    %6 = stablehlo.multiply %5, %5 : tensor<4x3xf32>
    %7 = stablehlo.constant dense<0.0> : tensor<f32>
    %8 = stablehlo.reduce(%6 init: %7) applies stablehlo.add across dimensions = [0, 1] : (tensor<4x3xf32>, tensor<f32>) -> tensor<f32>
    %9 = stablehlo.constant dense<12.0> : tensor<f32>
    %10 = stablehlo.divide %8, %9 : tensor<f32>
    %11 = stablehlo.constant dense<0.083333336> : tensor<f32>
    %12 = stablehlo.broadcast_in_dim %11, dims = [] : (tensor<f32>) -> tensor<4x3xf32>
    %13 = stablehlo.multiply %12, %5 : tensor<4x3xf32>
    %14 = stablehlo.add %13, %13 : tensor<4x3xf32>
    %15 = stablehlo.dot_general %14, %w2, contracting_dims = [1] x [1] : (tensor<4x3xf32>, tensor<8x3xf32>) -> tensor<4x8xf32>
    %16 = stablehlo.dot_general %3, %14, contracting_dims = [0] x [0] : (tensor<4x8xf32>, tensor<4x3xf32>) -> tensor<8x3xf32>
    %17 = stablehlo.compare GT, %0, %2, FLOAT : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xi1>
    %18 = stablehlo.select %17, %15, %2 : tensor<4x8xi1>, tensor<4x8xf32>
    %19 = stablehlo.constant dense<0.0> : tensor<f32>
    %20 = stablehlo.reduce(%18 init: %19) applies stablehlo.add across dimensions = [0] : (tensor<4x8xf32>, tensor<f32>) -> tensor<8xf32>
    %21 = stablehlo.dot_general %x, %18, contracting_dims = [0] x [0] : (tensor<4x6xf32>, tensor<4x8xf32>) -> tensor<6x8xf32>
    %22 = stablehlo.constant dense<0.1> : tensor<f32>
    %23 = stablehlo.broadcast_in_dim %22, dims = [] : (tensor<f32>) -> tensor<6x8xf32>
    %24 = stablehlo.multiply %21, %23 : tensor<6x8xf32>
    %25 = stablehlo.subtract %w1, %24 : tensor<6x8xf32>
    %26 = stablehlo.broadcast_in_dim %22, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %27 = stablehlo.multiply %20, %26 : tensor<8xf32>
    %28 = stablehlo.subtract %b1, %27 : tensor<8xf32>
    %29 = stablehlo.broadcast_in_dim %22, dims = [] : (tensor<f32>) -> tensor<8x3xf32>
    %30 = stablehlo.multiply %16, %29 : tensor<8x3xf32>
    %31 = stablehlo.subtract %w2, %30 : tensor<8x3xf32>
    return %10, %25, %28, %31 : tensor<f32>, tensor<6x8xf32>, tensor<8xf32>, tensor<8x3xf32>
  }
  func.func private @dotEpilogue(%input0: tensor<4x6xf32>, %input1: tensor<6x8xf32>, %input2: tensor<8xf32>) -> (tensor<4x8xf32>) {
    %0 = stablehlo.dot_general %input0, %input1, contracting_dims = [1] x [0] : (tensor<4x6xf32>, tensor<6x8xf32>) -> tensor<4x8xf32>
    %1 = stablehlo.broadcast_in_dim %input2, dims = [1] : (tensor<8xf32>) -> tensor<4x8xf32>
    %2 = stablehlo.add %0, %1 : tensor<4x8xf32>
    return %2 : tensor<4x8xf32>
  }
}
