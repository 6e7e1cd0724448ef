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
    %0 = stablehlo.dot_general %x, %w1, contracting_dims = [1] x [0] : (tensor<4x6xf32>, tensor<6x8xf32>) -> tensor<4x8xf32>
    %1 = stablehlo.broadcast_in_dim %b1, dims = [1] : (tensor<8xf32>) -> tensor<4x8xf32>
    %2 = stablehlo.add %0, %1 : tensor<4x8xf32>
    %3 = stablehlo.constant dense<0.0> : tensor<f32>
    %4 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %5 = stablehlo.maximum %2, %4 : tensor<4x8xf32>
    %6 = stablehlo.dot_general %5, %w2, contracting_dims = [1] x [0] : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
    %7 = stablehlo.subtract %6, %y : tensor<4x3xf32>
    %8 = stablehlo.multiply %7, %7 : tensor<4x3xf32>
    %9 = stablehlo.constant dense<0.0> : tensor<f32>
    %10 = stablehlo.reduce(%8 init: %9) applies stablehlo.add across dimensions = [0, 1] : (tensor<4x3xf32>, tensor<f32>) -> tensor<f32>
    %11 = stablehlo.constant dense<12.0> : tensor<f32>
    %12 = stablehlo.divide %10, %11 : tensor<f32>
    %13 = stablehlo.constant dense<0.083333336> : tensor<f32>
    %14 = stablehlo.broadcast_in_dim %13, dims = [] : (tensor<f32>) -> tensor<4x3xf32>
    %15 = stablehlo.multiply %14, %7 : tensor<4x3xf32>
    %16 = stablehlo.add %15, %15 : tensor<4x3xf32>
    %17 = stablehlo.dot_general %16, %w2, contracting_dims = [1] x [1] : (tensor<4x3xf32>, tensor<8x3xf32>) -> tensor<4x8xf32>
    %18 = stablehlo.dot_general %5, %16, contracting_dims = [0] x [0] : (tensor<4x8xf32>, tensor<4x3xf32>) -> tensor<8x3xf32>
    %19 = stablehlo.compare GT, %2, %4, FLOAT : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xi1>
    %20 = stablehlo.select %19, %17, %4 : tensor<4x8xi1>, tensor<4x8xf32>
    %21 = stablehlo.constant dense<0.0> : tensor<f32>
    %22 = stablehlo.reduce(%20 init: %21) applies stablehlo.add across dimensions = [0] : (tensor<4x8xf32>, tensor<f32>) -> tensor<8xf32>
    %23 = stablehlo.dot_general %x, %20, contracting_dims = [0] x [0] : (tensor<4x6xf32>, tensor<4x8xf32>) -> tensor<6x8xf32>
    %24 = stablehlo.constant dense<0.1> : tensor<f32>
    %25 = stablehlo.broadcast_in_dim %24, dims = [] : (tensor<f32>) -> tensor<6x8xf32>
    %26 = stablehlo.multiply %23, %25 : tensor<6x8xf32>
    %27 = stablehlo.subtract %w1, %26 : tensor<6x8xf32>
    %28 = stablehlo.broadcast_in_dim %24, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %29 = stablehlo.multiply %22, %28 : tensor<8xf32>
    %30 = stablehlo.subtract %b1, %29 : tensor<8xf32>
    %31 = stablehlo.broadcast_in_dim %24, dims = [] : (tensor<f32>) -> tensor<8x3xf32>
    %32 = stablehlo.multiply %18, %31 : tensor<8x3xf32>
    %33 = stablehlo.subtract %w2, %32 : tensor<8x3xf32>
    return %12, %27, %30, %33 : tensor<f32>, tensor<6x8xf32>, tensor<8xf32>, tensor<8x3xf32>
  }
}
