module @elementwise {
  func.func public @main(
      %x: tensor<2x3xf32>,
      %y: tensor<2x3xf32>,
      %i: tensor<4xi32>,
      %j: tensor<4xi32>,
      %p: tensor<2x3xi1>
  ) -> (
      tensor<2x3xf32> {jax.result_info = "result0"},
      tensor<2x3xf32> {jax.result_info = "result1"},
      tensor<2x3xf32> {jax.result_info = "result2"},
      tensor<2x3xf32> {jax.result_info = "result3"},
      tensor<2x3xf32> {jax.result_info = "result4"},
      tensor<2x3xf32> {jax.result_info = "result5"},
      tensor<2x3xf32> {jax.result_info = "result6"},
      tensor<2x3xf32> {jax.result_info = "result7"},
      tensor<2x3xf32> {jax.result_info = "result8"},
      tensor<2x3xf32> {jax.result_info = "result9"},
      tensor<2x3xf32> {jax.result_info = "result10"},
      tensor<2x3xf32> {jax.result_info = "result11"},
      tensor<2x3xf32> {jax.result_info = "result12"},
      tensor<2x3xf32> {jax.result_info = "result13"},
      tensor<2x3xf32> {jax.result_info = "result14"},
      tensor<2x3xf32> {jax.result_info = "result15"},
      tensor<2x3xf32> {jax.result_info = "result16"},
      tensor<2x3xi1> {jax.result_info = "result17"},
      tensor<4xi32> {jax.result_info = "result18"},
      tensor<2x3xbf16> {jax.result_info = "result19"},
      tensor<2x3xui32> {jax.result_info = "result20"},
      tensor<2x3xf32> {jax.result_info = "result21"},
      tensor<2x3xf32> {jax.result_info = "result22"},
      tensor<2x3xf32> {jax.result_info = "result23"},
      tensor<2x3xf32> {jax.result_info = "result24"},
      tensor<2x3xf32> {jax.result_info = "result25"},
      tensor<2x3xf32> {jax.result_info = "result26"},
      tensor<2x3xf32> {jax.result_info = "result27"},
      tensor<2x3xf32> {jax.result_info = "result28"},
      tensor<2x3xf32> {jax.result_info = "result29"},
      tensor<4xi32> {jax.result_info = "result30"},
      tensor<4xi32> {jax.result_info = "result31"},
      tensor<4xi32> {jax.result_info = "result32"},
      tensor<4xi32> {jax.result_info = "result33"},
      tensor<4xi32> {jax.result_info = "result34"},
      tensor<4xi32> {jax.result_info = "result35"},
      tensor<2x3xi1> {jax.result_info = "result36"},
      tensor<4xi1> {jax.result_info = "result37"},
      tensor<2x3xi1> {jax.result_info = "result38"},
      tensor<2x3xf32> {jax.result_info = "result39"}
  ) {
    %0 = stablehlo.negate %x : tensor<2x3xf32>
    %1 = stablehlo.abs %x : tensor<2x3xf32>
    %2 = stablehlo.sign %x : tensor<2x3xf32>
    %3 = stablehlo.exponential %x : tensor<2x3xf32>
    %4 = stablehlo.exponential_minus_one %x : tensor<2x3xf32>
    %5 = stablehlo.log %x : tensor<2x3xf32>
    %6 = stablehlo.log_plus_one %x : tensor<2x3xf32>
    %7 = stablehlo.sqrt %x : tensor<2x3xf32>
    %8 = stablehlo.rsqrt %x : tensor<2x3xf32>
    %9 = stablehlo.cbrt %x : tensor<2x3xf32>
    %10 = stablehlo.tanh %x : tensor<2x3xf32>
    %11 = stablehlo.logistic %x : tensor<2x3xf32>
    %12 = stablehlo.sine %x : tensor<2x3xf32>
    %13 = stablehlo.cosine %x : tensor<2x3xf32>
    %14 = stablehlo.floor %x : tensor<2x3xf32>
    %15 = stablehlo.ceil %x : tensor<2x3xf32>
    %16 = stablehlo.round_nearest_even %x : tensor<2x3xf32>
    %17 = stablehlo.is_finite %x : (tensor<2x3xf32>) -> tensor<2x3xi1>
    %18 = stablehlo.not %i : tensor<4xi32>
    %19 = stablehlo.convert %x : (tensor<2x3xf32>) -> tensor<2x3xbf16>
    %20 = stablehlo.bitcast_convert %x : (tensor<2x3xf32>) -> tensor<2x3xui32>
    %21 = stablehlo.add %x, %y : tensor<2x3xf32>
    %22 = stablehlo.subtract %x, %y : tensor<2x3xf32>
    %23 = stablehlo.multiply %x, %y : tensor<2x3xf32>
    %24 = stablehlo.divide %x, %y : tensor<2x3xf32>
    %25 = stablehlo.remainder %x, %y : tensor<2x3xf32>
    %26 = stablehlo.power %x, %y : tensor<2x3xf32>
    %27 = stablehlo.maximum %x, %y : tensor<2x3xf32>
    %28 = stablehlo.minimum %x, %y : tensor<2x3xf32>
    %29 = stablehlo.atan2 %x, %y : tensor<2x3xf32>
    %30 = stablehlo.and %i, %j : tensor<4xi32>
    %31 = stablehlo.or %i, %j : tensor<4xi32>
    %32 = stablehlo.xor %i, %j : tensor<4xi32>
    %33 = stablehlo.shift_left %i, %j : tensor<4xi32>
    %34 = stablehlo.shift_right_logical %i, %j : tensor<4xi32>
    %35 = stablehlo.shift_right_arithmetic %i, %j : tensor<4xi32>
    %36 = stablehlo.compare GE, %x, %y, FLOAT : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
    %37 = stablehlo.compare EQ, %i, %j, SIGNED : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi1>
    %38 = stablehlo.compare EQ, %p, %p, UNSIGNED : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
    %39 = stablehlo.select %p, %x, %y : tensor<2x3xi1>, tensor<2x3xf32>
    return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xi1>, tensor<4xi32>, tensor<2x3xbf16>, tensor<2x3xui32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>, tensor<2x3xi1>, tensor<4xi1>, tensor<2x3xi1>, tensor<2x3xf32>
  }
}
