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
    %1:2 = stablehlo.composite "talweg.elementwise" %0, %b1 {decomposition = @elementwise} : (tensor<4x8xf32>, tensor<8xf32>) -> (tensor<4x8xf32>, tensor<4x8xi1>)
    %2 = stablehlo.dot_general %1#0, %w2, contracting_dims = [1] x [0] : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
    %3:2 = stablehlo.composite "talweg.elementwise" %2, %y {decomposition = @elementwise_1} : (tensor<4x3xf32>, tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>)
    %4 = stablehlo.constant dense<0.0> : tensor<f32>
    %5 = stablehlo.reduce(%3#0 init: %4) applies stablehlo.add across dimensions = [0, 1] : (tensor<4x3xf32>, tensor<f32>) -> tensor<f32>
    %6 = stablehlo.composite "talweg.elementwise" %5 {decomposition = @elementwise_2} : (tensor<f32>) -> tensor<f32>
    %7 = stablehlo.dot_general %3#1, %w2, contracting_dims = [1] x [1] : (tensor<4x3xf32>, tensor<8x3xf32>) -> tensor<4x8xf32>
    %8 = stablehlo.dot_general %1#0, %3#1, contracting_dims = [0] x [0] : (tensor<4x8xf32>, tensor<4x3xf32>) -> tensor<8x3xf32>
    %9 = stablehlo.composite "talweg.elementwise" %1#1, %7 {decomposition = @elementwise_3} : (tensor<4x8xi1>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %10 = stablehlo.constant dense<0.0> : tensor<f32>
    %11 = stablehlo.reduce(%9 init: %10) applies stablehlo.add across dimensions = [0] : (tensor<4x8xf32>, tensor<f32>) -> tensor<8xf32>
    %12 = stablehlo.dot_general %x, %9, contracting_dims = [0] x [0] : (tensor<4x6xf32>, tensor<4x8xf32>) -> tensor<6x8xf32>
    %13 = stablehlo.composite "talweg.elementwise" %12, %w1 {decomposition = @elementwise_4} : (tensor<6x8xf32>, tensor<6x8xf32>) -> tensor<6x8xf32>
    %14 = stablehlo.composite "talweg.elementwise" %11, %b1 {decomposition = @elementwise_5} : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %15 = stablehlo.composite "talweg.elementwise" %8, %w2 {decomposition = @elementwise_6} : (tensor<8x3xf32>, tensor<8x3xf32>) -> tensor<8x3xf32>
    return %6, %13, %14, %15 : tensor<f32>, tensor<6x8xf32>, tensor<8xf32>, tensor<8x3xf32>
  }
  func.func private @elementwise(%input0: tensor<4x8xf32>, %input1: tensor<8xf32>) -> (tensor<4x8xf32>, tensor<4x8xi1>) {
    %0 = stablehlo.broadcast_in_dim %input1, dims = [1] : (tensor<8xf32>) -> tensor<4x8xf32>
    %1 = stablehlo.add %input0, %0 : tensor<4x8xf32>
    %2 = stablehlo.constant dense<0.0> : tensor<f32>
    %3 = stablehlo.broadcast_in_dim %2, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %4 = stablehlo.maximum %1, %3 : tensor<4x8xf32>
    %5 = stablehlo.compare GT, %1, %3, FLOAT : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xi1>
    return %4, %5 : tensor<4x8xf32>, tensor<4x8xi1>
  }
  func.func private @elementwise_1(%input0: tensor<4x3xf32>, %input1: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>) {
    %0 = stablehlo.subtract %input0, %input1 : tensor<4x3xf32>
    %1 = stablehlo.multiply %0, %0 : tensor<4x3xf32>
    %2 = stablehlo.constant dense<0.083333336> : tensor<f32>
    %3 = stablehlo.broadcast_in_dim %2, dims = [] : (tensor<f32>) -> tensor<4x3xf32>
    %4 = stablehlo.multiply %3, %0 : tensor<4x3xf32>
    %5 = stablehlo.add %4, %4 : tensor<4x3xf32>
    return %1, %5 : tensor<4x3xf32>, tensor<4x3xf32>
  }
  func.func private @elementwise_2(%input0: tensor<f32>) -> (tensor<f32>) {
    %0 = stablehlo.constant dense<12.0> : tensor<f32>
    %1 = stablehlo.divide %input0, %0 : tensor<f32>
    return %1 : tensor<f32>
  }
  func.func private @elementwise_3(%input0: tensor<4x8xi1>, %input1: tensor<4x8xf32>) -> (tensor<4x8xf32>) {
    %0 = stablehlo.constant dense<0.0> : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %0, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %2 = stablehlo.select %input0, %input1, %1 : tensor<4x8xi1>, tensor<4x8xf32>
    return %2 : tensor<4x8xf32>
  }
  func.func private @elementwise_4(%input0: tensor<6x8xf32>, %input1: tensor<6x8xf32>) -> (tensor<6x8xf32>) {
    %0 = stablehlo.constant dense<0.1> : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %0, dims = [] : (tensor<f32>) -> tensor<6x8xf32>
    %2 = stablehlo.multiply %input0, %1 : tensor<6x8xf32>
    %3 = stablehlo.subtract %input1, %2 : tensor<6x8xf32>
    return %3 : tensor<6x8xf32>
  }
  func.func private @elementwise_5(%input0: tensor<8xf32>, %input1: tensor<8xf32>) -> (tensor<8xf32>) {
    %0 = stablehlo.constant dense<0.1> : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %0, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %2 = stablehlo.multiply %input0, %1 : tensor<8xf32>
    %3 = stablehlo.subtract %input1, %2 : tensor<8xf32>
    return %3 : tensor<8xf32>
  }
  func.func private @elementwise_6(%input0: tensor<8x3xf32>, %input1: tensor<8x3xf32>) -> (tensor<8x3xf32>) {
    %0 = stablehlo.constant dense<0.1> : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %0, dims = [] : (tensor<f32>) -> tensor<8x3xf32>
    %2 = stablehlo.multiply %input0, %1 : tensor<8x3xf32>
    %3 = stablehlo.subtract %input1, %2 : tensor<8x3xf32>
    return %3 : tensor<8x3xf32>
  }
}
