module @movement {
  func.func public @main(
      %x: tensor<4x3xf32>,
      %fill: tensor<f32>,
      %starts: tensor<5xi32>,
      %updates: tensor<5x3xf32>
  ) -> (
      tensor<2x4x3xf32> {jax.result_info = "result0"},
      tensor<12xf32> {jax.result_info = "result1"},
      tensor<3x4xf32> {jax.result_info = "result2"},
      tensor<2x2xf32> {jax.result_info = "result3"},
      tensor<9x3xf32> {jax.result_info = "result4"},
      tensor<4x7xf32> {jax.result_info = "result5"},
      tensor<4x3xf32> {jax.result_info = "result6"},
      tensor<5x3xf32> {jax.result_info = "result7"},
      tensor<4x3xf32> {jax.result_info = "result8"},
      tensor<4x3xf32> {jax.result_info = "result9"},
      tensor<4x3xf32> {jax.result_info = "result10"},
      tensor<f32> {jax.result_info = "result11"}
  ) {
    %0 = stablehlo.broadcast_in_dim %x, dims = [1, 2] : (tensor<4x3xf32>) -> tensor<2x4x3xf32>
    %1 = stablehlo.reshape %x : (tensor<4x3xf32>) -> tensor<12xf32>
    %2 = stablehlo.transpose %x, dims = [1, 0] : (tensor<4x3xf32>) -> tensor<3x4xf32>
    %3 = stablehlo.slice %x [0:4:2, 1:3] : (tensor<4x3xf32>) -> tensor<2x2xf32>
    %4 = stablehlo.concatenate %x, %updates, dim = 0 : (tensor<4x3xf32>, tensor<5x3xf32>) -> tensor<9x3xf32>
    %5 = stablehlo.pad %x, %fill, low = [1, 0], high = [-1, 2], interior = [0, 1] : (tensor<4x3xf32>, tensor<f32>) -> tensor<4x7xf32>
    %6 = stablehlo.reverse %x, dims = [0] : tensor<4x3xf32>
    %7 = "stablehlo.gather"(%x, %starts) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 3>}> : (tensor<4x3xf32>, tensor<5xi32>) -> tensor<5x3xf32>
    %8 = "stablehlo.scatter"(%x, %starts, %updates) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
      ^bb0(%_left: tensor<f32>, %_right: tensor<f32>):
        %_both = stablehlo.add %_left, %_right : tensor<f32>
        stablehlo.return %_both : tensor<f32>
    }) : (tensor<4x3xf32>, tensor<5xi32>, tensor<5x3xf32>) -> tensor<4x3xf32>
    %9 = "stablehlo.scatter"(%x, %starts, %updates) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
      ^bb0(%_left: tensor<f32>, %_right: tensor<f32>):
        stablehlo.return %_right : tensor<f32>
    }) : (tensor<4x3xf32>, tensor<5xi32>, tensor<5x3xf32>) -> tensor<4x3xf32>
    %10:2 = stablehlo.optimization_barrier %x, %fill : tensor<4x3xf32>, tensor<f32>
    return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10#0, %10#1 : tensor<2x4x3xf32>, tensor<12xf32>, tensor<3x4xf32>, tensor<2x2xf32>, tensor<9x3xf32>, tensor<4x7xf32>, tensor<4x3xf32>, tensor<5x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>, tensor<f32>
  }
}
