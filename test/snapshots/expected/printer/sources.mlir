module @sources {
  func.func public @main(%state: tensor<4xui32>) -> (
      tensor<f32> {jax.result_info = "result0"},
      tensor<2x3xf32> {jax.result_info = "result1"},
      tensor<2xf64> {jax.result_info = "result2"},
      tensor<3xbf16> {jax.result_info = "result3"},
      tensor<2xi32> {jax.result_info = "result4"},
      tensor<2x1xi1> {jax.result_info = "result5"},
      tensor<4x4xf32> {jax.result_info = "result6"},
      tensor<5x13xui8> {jax.result_info = "result7"},
      tensor<0x3xf32> {jax.result_info = "result8"},
      tensor<2x3xi32> {jax.result_info = "result9"},
      tensor<2xi1> {jax.result_info = "result10"},
      tensor<2x6xui32> {jax.result_info = "result11"}
  ) {
    %0 = stablehlo.constant dense<0.1> : tensor<f32>
    %1 = stablehlo.constant dense<[[0.0, -0.0, 1.0], [1.0e-7, 0x7F800000, 0x7FC00000]]> : tensor<2x3xf32>
    %2 = stablehlo.constant dense<[0.3333333333333333, -1.0e+300]> : tensor<2xf64>
    %3 = stablehlo.constant dense<[1.0, 0xFF80, 0.100097656]> : tensor<3xbf16>
    %4 = stablehlo.constant dense<[-2147483648, 7]> : tensor<2xi32>
    %5 = stablehlo.constant dense<[[true], [false]]> : tensor<2x1xi1>
    %6 = stablehlo.constant dense<2.0> : tensor<4x4xf32>
    %7 = stablehlo.constant dense<"0x000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F40"> : tensor<5x13xui8>
    %8 = stablehlo.constant dense<> : tensor<0x3xf32>
    %9 = stablehlo.iota dim = 1 : tensor<2x3xi32>
    %10 = stablehlo.iota dim = 0 : tensor<2xui8>
    %11 = stablehlo.convert %10 : (tensor<2xui8>) -> tensor<2xi1>
    %12 = stablehlo.reshape %state : (tensor<4xui32>) -> tensor<2x2xui32>
    %13 = stablehlo.bitcast_convert %12 : (tensor<2x2xui32>) -> tensor<2xui64>
    %14:2 = stablehlo.rng_bit_generator %13, algorithm = PHILOX : (tensor<2xui64>) -> (tensor<2xui64>, tensor<2x6xui32>)
    return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %11, %14#1 : tensor<f32>, tensor<2x3xf32>, tensor<2xf64>, tensor<3xbf16>, tensor<2xi32>, tensor<2x1xi1>, tensor<4x4xf32>, tensor<5x13xui8>, tensor<0x3xf32>, tensor<2x3xi32>, tensor<2xi1>, tensor<2x6xui32>
  }
}
