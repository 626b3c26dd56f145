"""Operators that are mapped to nothing, by reason; the names are patterns."""

#: PyTorch's
UNMAPPED: dict[str, str] = {
    "complex numbers": (
        "angle imag complex polar view_as_real view_as_complex cdouble cfloat chalf fft.* stft "
        "istft nn.functional.silu.complex linalg.eig linalg.eigvals"
    ),
    "random numbers": (
        "cauchy exponential geometric log_normal normal normal.* uniform multinomial bernoulli "
        "randn randn_like rand_like randint randint_like nn.functional.rrelu "
        "nn.functional.dropout2d nn.functional.dropout3d nn.functional.alpha_dropout "
        "nn.functional.feature_alpha_dropout.* nn.functional.fractional_max_pool* "
        "native_dropout_backward"
    ),
    "factorisations and eigenvalues": (
        "cholesky cholesky_inverse cholesky_solve geqrf lu lu_solve lu_unpack ormqr qr svd "
        "svd_lowrank pca_lowrank triangular_solve pinverse matrix_exp linalg.cholesky* "
        "linalg.cond linalg.eigh linalg.eigvalsh linalg.householder_product linalg.ldl* "
        "linalg.lstsq* linalg.qr linalg.lu* linalg.matrix_rank* linalg.pinv* linalg.svd* "
    ),
    "sorting": (
        "sort msort argsort topk kthvalue median nanmedian mode quantile nanquantile cummax cummin "
        "unique unique_consecutive searchsorted bucketize histogram histogramdd histc bincount "
        "isin masked.median"
    ),
    "special functions that bp does not have": (
        "i0 igamma igammac erfinv polygamma.polygamma_n_[1-4] special.i0e special.i1 special.i1e "
        "special.zeta special.ndtri special.log_ndtr special.erfcx special.airy_ai special.bessel* "
        "special.chebyshev* special.hermite* special.laguerre* special.legendre* "
        "special.modified* special.scaled* special.shifted* special.spherical* linalg.vander"
    ),
    "whole numbers and bits": (
        "bitwise_* __rand__ __ror__ __rxor__ lcm gcd frexp nextafter hash_tensor unravel_index"
    ),
    "sizes that depend on data": (
        "nonzero nonzero_static argwhere masked_select masked_scatter _segment_reduce* "
        "nn.functional.embedding_bag nn.functional.ctc_loss index_put put"
    ),
    "kinds, memory and machines": (
        "bfloat16 bool byte char float half int long short to item empty* new_* *_like fill zero_ "
        "resize_ resize_as_ scalar_tensor as_strided* to_sparse sparse.* jiterator* torch._scaled* "
        "torch.ops.aten._flash* torch.ops.aten._efficient* nn.functional.batch_norm.without_cudnn "
        "bmm.triton_optimized equal allclose broadcast_shapes"
    ),
    "ranges and windows without arguments": (
        "arange linspace linspace.* logspace logspace.* signal.windows.* triu_indices tril_indices"
    ),
    "pools, convolutions and grids that bp does not have": (
        "nn.functional.adaptive* nn.functional.*3d nn.functional.unfold nn.functional.interpolate* "
        "nn.functional.upsample* _upsample* nn.functional.max_unpool* "
        "max_pool2d_with_indices_backward nn.functional.grid_sample grid_sampler* "
        "nn.functional.local_response_norm"
    ),
    "reductions by index": "index_reduce.* scatter_reduce.* _unsafe_masked_index*",
    "masked arrays": "masked.*",
    "other compositions": (
        "corrcoef gradient diagonal_scatter renorm _chunk_cat _softmax_backward_data "
        "_batch_norm_with_update nn.functional.multilabel_margin_loss "
        "nn.functional.multi_head_attention_forward"
    ),
}

#: ONNX's operators without a row
ONNX_UNMAPPED: dict[str, str] = {
    "several operators in one test, control flow, sequences": (
        "several If Loop Scan Sequence* Optional* SplitToSequence RegexFullMatch String* TfIdf* "
        "LabelEncoder ArrayFeatureExtractor Binarizer TreeEnsemble ImageDecoder"
    ),
    "optimizers, which have a test of their own": "Adam Momentum",
    "optimizers that bpc does not have": "Adagrad",
    "random numbers": "Bernoulli",
    "whole numbers, bits, quantisation, kinds": (
        "Bit* Cast CastLike *Integer *Quantize* *quantize* QLinear* Shape Size NonZero"
    ),
    "sorting and searching": "TopK Unique NonMaxSuppression Compress",
    "ranges and windows without arguments": (
        "Range *Window Constant ConstantOfShape MelWeightMatrix"
    ),
    "complex numbers": "DFT STFT",
    "recurrent networks": "GRU LSTM RNN",
    "layers and grids that bp does not have": (
        "AffineGrid CausalConvWithState CenterCropPad Col2Im DeformConv FlexAttention GridSample "
        "LRN LinearAttention LpPool MaxUnpool Resize RoiAlign RotaryEmbedding Upsample"
    ),
    "writes by index, other compositions": ("ScatterND TensorScatter ReverseSequence CumProd Mean"),
}
