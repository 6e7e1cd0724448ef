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
    %1 = stablehlo.dot_general %0, %w2, contracting_dims = [1] x [0] : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
    %2:2 = stablehlo.composite "talweg.elementwise" %1, %y {decomposition = @elementwise} : (tensor<4x3xf32>, tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>)
    %3 = stablehlo.constant dense<0.0> : tensor<f32>
    %4 = stablehlo.reduce(%2#0 init: %3) applies stablehlo.add across dimensions = [0, 1] : (tensor<4x3xf32>, tensor<f32>) -> tensor<f32>
    %5 = stablehlo.composite "talweg.elementwise" %4 {decomposition = @elementwise_1} : (tensor<f32>) -> tensor<f32>
    %6 = stablehlo.dot_general %2#1, %w2, contracting_dims = [1] x [1] : (tensor<4x3xf32>, tensor<8x3xf32>) -> tensor<4x8xf32>
    %7 = stablehlo.dot_general %0, %2#1, contracting_dims = [0] x [0] : (tensor<4x8xf32>, tensor<4x3xf32>) -> tensor<8x3xf32>
    %8 = stablehlo.composite "talweg.elementwise" %7, %w2 {decomposition = @elementwise_2} : (tensor<8x3xf32>, tensor<8x3xf32>) -> tensor<8x3xf32>
    %9 = stablehlo.composite "talweg.elementwise" %0, %6 {decomposition = @elementwise_3} : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %10 = stablehlo.constant dense<0.0> : tensor<f32>
    %11 = stablehlo.reduce(%9 init: %10) applies stablehlo.add across dimensions = [0] : (tensor<4x8xf32>, tensor<f32>) -> tensor<8xf32>
    %12 = stablehlo.composite "talweg.elementwise" %11, %b1 {decomposition = @elementwise_4} : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %13 = stablehlo.dot_general %x, %9, contracting_dims = [0] x [0] : (tensor<4x6xf32>, tensor<4x8xf32>) -> tensor<6x8xf32>
    %14 = stablehlo.composite "talweg.elementwise" %13, %w1 {decomposition = @elementwise_5} : (tensor<6x8xf32>, tensor<6x8xf32>) -> tensor<6x8xf32>
    return %5, %14, %12, %8 : tensor<f32>, tensor<6x8xf32>, tensor<8xf32>, tensor<8x3xf32>
  }
  func.func private @dotEpilogue(%input0: tensor<4x6xf32>, %input1: tensor<6x8xf32>, %input2: tensor<8xf32>) -> (tensor<4x8xf32>) {
    %0 = stablehlo.dot_general %input0, %input1, contracting_dims = [1] x [0] : (tensor<4x6xf32>, tensor<6x8xf32>) -> tensor<4x8xf32>
    %1 = stablehlo.broadcast_in_dim %input2, dims = [1] : (tensor<8xf32>) -> tensor<4x8xf32>
    %2 = stablehlo.add %0, %1 : tensor<4x8xf32>
    %3 = stablehlo.constant dense<0.0> : tensor<f32>
    %4 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %5 = stablehlo.maximum %2, %4 : tensor<4x8xf32>
    return %5 : tensor<4x8xf32>
  }
  func.func private @elementwise(%input0: tensor<4x3xf32>, %input1: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>) {
    %0 = stablehlo.subtract %input0, %input1 : tensor<4x3xf32>
    %1 = stablehlo.multiply %0, %0 : tensor<4x3xf32>
    %2 = stablehlo.constant dense<0.083333336> : tensor<f32>
    %3 = stablehlo.broadcast_in_dim %2, dims = [] : (tensor<f32>) -> tensor<4x3xf32>
    %4 = stablehlo.multiply %3, %0 : tensor<4x3xf32>
    %5 = stablehlo.add %4, %4 : tensor<4x3xf32>
    return %1, %5 : tensor<4x3xf32>, tensor<4x3xf32>
  }
  func.func private @elementwise_1(%input0: tensor<f32>) -> (tensor<f32>) {
    %0 = stablehlo.constant dense<12.0> : tensor<f32>
    %1 = stablehlo.divide %input0, %0 : tensor<f32>
    return %1 : tensor<f32>
  }
  func.func private @elementwise_2(%input0: tensor<8x3xf32>, %input1: tensor<8x3xf32>) -> (tensor<8x3xf32>) {
    %0 = stablehlo.constant dense<0.1> : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %0, dims = [] : (tensor<f32>) -> tensor<8x3xf32>
    %2 = stablehlo.multiply %input0, %1 : tensor<8x3xf32>
    %3 = stablehlo.subtract %input1, %2 : tensor<8x3xf32>
    return %3 : tensor<8x3xf32>
  }
  func.func private @elementwise_3(%input0: tensor<4x8xf32>, %input1: tensor<4x8xf32>) -> (tensor<4x8xf32>) {
    %0 = stablehlo.constant dense<0.0> : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %0, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %2 = stablehlo.compare GT, %input0, %1, FLOAT : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xi1>
    %3 = stablehlo.select %2, %input1, %1 : tensor<4x8xi1>, tensor<4x8xf32>
    return %3 : tensor<4x8xf32>
  }
  func.func private @elementwise_4(%input0: tensor<8xf32>, %input1: tensor<8xf32>) -> (tensor<8xf32>) {
    %0 = stablehlo.constant dense<0.1> : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %0, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %2 = stablehlo.multiply %input0, %1 : tensor<8xf32>
    %3 = stablehlo.subtract %input1, %2 : tensor<8xf32>
    return %3 : tensor<8xf32>
  }
  func.func private @elementwise_5(%input0: tensor<6x8xf32>, %input1: tensor<6x8xf32>) -> (tensor<6x8xf32>) {
    %0 = stablehlo.constant dense<0.1> : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %0, dims = [] : (tensor<f32>) -> tensor<6x8xf32>
    %2 = stablehlo.multiply %input0, %1 : tensor<6x8xf32>
    %3 = stablehlo.subtract %input1, %2 : tensor<6x8xf32>
    return %3 : tensor<6x8xf32>
  }
}
