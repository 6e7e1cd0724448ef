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
    %13 = stablehlo.constant dense<1.0> : tensor<f32>
    %14 = stablehlo.divide %13, %11 : tensor<f32>
    %15 = stablehlo.reshape %14 : (tensor<f32>) -> tensor<1x1xf32>
    %16 = stablehlo.broadcast_in_dim %15, dims = [0, 1] : (tensor<1x1xf32>) -> tensor<4x3xf32>
    %17 = stablehlo.multiply %16, %7 : tensor<4x3xf32>
    %18 = stablehlo.multiply %16, %7 : tensor<4x3xf32>
    %19 = stablehlo.add %17, %18 : tensor<4x3xf32>
    %20 = stablehlo.dot_general %19, %w2, contracting_dims = [1] x [1] : (tensor<4x3xf32>, tensor<8x3xf32>) -> tensor<4x8xf32>
    %21 = stablehlo.transpose %20, dims = [0, 1] : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %22 = stablehlo.dot_general %5, %19, contracting_dims = [0] x [0] : (tensor<4x8xf32>, tensor<4x3xf32>) -> tensor<8x3xf32>
    %23 = stablehlo.transpose %22, dims = [0, 1] : (tensor<8x3xf32>) -> tensor<8x3xf32>
    %24 = stablehlo.compare GT, %2, %4, FLOAT : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xi1>
    %25 = stablehlo.constant dense<0.0> : tensor<f32>
    %26 = stablehlo.broadcast_in_dim %25, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %27 = stablehlo.select %24, %21, %26 : tensor<4x8xi1>, tensor<4x8xf32>
    %28 = stablehlo.constant dense<0.0> : tensor<f32>
    %29 = stablehlo.reduce(%27 init: %28) applies stablehlo.add across dimensions = [0] : (tensor<4x8xf32>, tensor<f32>) -> tensor<8xf32>
    %30 = stablehlo.reshape %29 : (tensor<8xf32>) -> tensor<8xf32>
    %31 = stablehlo.dot_general %x, %27, contracting_dims = [0] x [0] : (tensor<4x6xf32>, tensor<4x8xf32>) -> tensor<6x8xf32>
    %32 = stablehlo.transpose %31, dims = [0, 1] : (tensor<6x8xf32>) -> tensor<6x8xf32>
    %33 = stablehlo.constant dense<0.1> : tensor<f32>
    %34 = stablehlo.broadcast_in_dim %33, dims = [] : (tensor<f32>) -> tensor<6x8xf32>
    %35 = stablehlo.multiply %32, %34 : tensor<6x8xf32>
    %36 = stablehlo.subtract %w1, %35 : tensor<6x8xf32>
    %37 = stablehlo.constant dense<0.1> : tensor<f32>
    %38 = stablehlo.broadcast_in_dim %37, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %39 = stablehlo.multiply %30, %38 : tensor<8xf32>
    %40 = stablehlo.subtract %b1, %39 : tensor<8xf32>
    %41 = stablehlo.constant dense<0.1> : tensor<f32>
    %42 = stablehlo.broadcast_in_dim %41, dims = [] : (tensor<f32>) -> tensor<8x3xf32>
    %43 = stablehlo.multiply %23, %42 : tensor<8x3xf32>
    %44 = stablehlo.subtract %w2, %43 : tensor<8x3xf32>
    return %12, %36, %40, %44 : tensor<f32>, tensor<6x8xf32>, tensor<8xf32>, tensor<8x3xf32>
  }
}
