module @exchange attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 6 : i32} {
  func.func public @main(%x: tensor<4x2xf32>) -> (
      tensor<4x2xf32> {jax.result_info = "result0"},
      tensor<4x6xf32> {jax.result_info = "result1"},
      tensor<2x2xf32> {jax.result_info = "result2"},
      tensor<4x2xf32> {jax.result_info = "result3"}
  ) {
    %0 = "stablehlo.all_reduce"(%x) <{replica_groups = dense<[[0, 1], [2, 3], [4, 5]]> : tensor<3x2xi64>}> ({
      ^bb0(%_left: tensor<f32>, %_right: tensor<f32>):
        %_both = stablehlo.add %_left, %_right : tensor<f32>
        stablehlo.return %_both : tensor<f32>
    }) : (tensor<4x2xf32>) -> tensor<4x2xf32>
    %1 = "stablehlo.all_gather"(%x) <{all_gather_dim = 1 : i64, replica_groups = dense<[[0, 2, 4], [1, 3, 5]]> : tensor<2x3xi64>}> : (tensor<4x2xf32>) -> tensor<4x6xf32>
    %2 = "stablehlo.reduce_scatter"(%x) <{scatter_dimension = 0 : i64, replica_groups = dense<[[0, 1], [2, 3], [4, 5]]> : tensor<3x2xi64>}> ({
      ^bb0(%_left: tensor<f32>, %_right: tensor<f32>):
        %_both = stablehlo.add %_left, %_right : tensor<f32>
        stablehlo.return %_both : tensor<f32>
    }) : (tensor<4x2xf32>) -> tensor<2x2xf32>
    %3 = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[[0, 2], [2, 4], [1, 3], [3, 5]]> : tensor<4x2xi64>}> : (tensor<4x2xf32>) -> tensor<4x2xf32>
    return %0, %1, %2, %3 : tensor<4x2xf32>, tensor<4x6xf32>, tensor<2x2xf32>, tensor<4x2xf32>
  }
}
