module @products {
  func.func public @main(
      %left: tensor<2x4x8xf32>,
      %right: tensor<2x8x16xf32>,
      %images: tensor<2x8x8x3xf32>,
      %kernel: tensor<3x3x3x5xf32>
  ) -> (
      tensor<2x4x16xf32> {jax.result_info = "result0"},
      tensor<4x16xf32> {jax.result_info = "result1"},
      tensor<2x4x6x5xf32> {jax.result_info = "result2"},
      tensor<2x14x8x5xf32> {jax.result_info = "result3"},
      tensor<4xf32> {jax.result_info = "result4"},
      tensor<2x4x8xf32> {jax.result_info = "result5"},
      tensor<2x4x4x3xf32> {jax.result_info = "result6"}
  ) {
    %0 = stablehlo.dot_general %left, %right, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x4x8xf32>, tensor<2x8x16xf32>) -> tensor<2x4x16xf32>
    %1 = stablehlo.dot_general %left, %right, contracting_dims = [0, 2] x [0, 1] : (tensor<2x4x8xf32>, tensor<2x8x16xf32>) -> tensor<4x16xf32>
    %2 = stablehlo.convolution(%images, %kernel) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {stride = [2, 1], pad = [[1, 1], [0, 2]], lhs_dilate = [1, 1], rhs_dilate = [1, 2], reverse = [false, true]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x8x8x3xf32>, tensor<3x3x3x5xf32>) -> tensor<2x4x6x5xf32>
    %3 = stablehlo.constant dense<0.0> : tensor<f32>
    %4 = stablehlo.pad %images, %3, low = [0, -1, 1, 0], high = [0, 2, 1, 0], interior = [0, 1, 0, 0] : (tensor<2x8x8x3xf32>, tensor<f32>) -> tensor<2x16x10x3xf32>
    %5 = stablehlo.convolution(%4, %kernel) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1], reverse = [false, false]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x16x10x3xf32>, tensor<3x3x3x5xf32>) -> tensor<2x14x8x5xf32>
    %6 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %7 = stablehlo.reduce(%left init: %6) applies stablehlo.maximum across dimensions = [0, 2] : (tensor<2x4x8xf32>, tensor<f32>) -> tensor<4xf32>
    %8 = stablehlo.constant dense<0.0> : tensor<f32>
    %9 = stablehlo.reduce(%left init: %8) applies stablehlo.add across dimensions = [] : (tensor<2x4x8xf32>, tensor<f32>) -> tensor<2x4x8xf32>
    %10 = stablehlo.constant dense<0x7F800000> : tensor<f32>
    %11 = "stablehlo.reduce_window"(%images, %10) <{base_dilations = array<i64: 1, 1, 1, 1>, padding = dense<[[0, 0], [0, 1], [0, 1], [0, 0]]> : tensor<4x2xi64>, window_dilations = array<i64: 1, 1, 1, 1>, window_dimensions = array<i64: 1, 2, 2, 1>, window_strides = array<i64: 1, 2, 2, 1>}> ({
      ^bb0(%_left: tensor<f32>, %_right: tensor<f32>):
        %_both = stablehlo.minimum %_left, %_right : tensor<f32>
        stablehlo.return %_both : tensor<f32>
    }) : (tensor<2x8x8x3xf32>, tensor<f32>) -> tensor<2x4x4x3xf32>
    return %0, %1, %2, %5, %7, %9, %11 : tensor<2x4x16xf32>, tensor<4x16xf32>, tensor<2x4x6x5xf32>, tensor<2x14x8x5xf32>, tensor<4xf32>, tensor<2x4x8xf32>, tensor<2x4x4x3xf32>
  }
}
