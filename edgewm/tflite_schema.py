"""The tables of TensorFlow Lite's flatbuffer schema, version 3, as far as a walk must know them.

Every field that holds an offset is named, so that every object is reached; scalars only where something
reads them. Taken from the schema that ships in ai-edge-litert 2.3; a field or option of a later schema is
not followed, which matters only if it is the very last object of a file.

Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

from __future__ import annotations

from .flatbuffer import Tables, Unions

IDENTIFIER = b"TFL3"
VERSION = 3

_OPERATORS = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1
RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM
CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM
CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE
SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW
ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK
REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR
LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS
WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG
REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL
BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD
UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR
RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY
STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE
STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL
STABLEHLO_REDUCE STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL
STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER
STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH
STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE
STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL
STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE
DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT
STABLEHLO_CBRT STABLEHLO_CASE
"""
OPERATORS = tuple(_OPERATORS.split())
"""Names of the built-in operators by code."""

_DTYPES = """
float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128
uint64 resource variant uint32 uint16 int4 bfloat16 int2 uint4 float8_e4m3fn float8_e5m2
"""
DTYPES = tuple(_DTYPES.split())
"""Element types by code, in numpy's spelling where numpy has the type."""

TABLES: Tables = {
    "Model": {
        0: ("version", "I"),
        1: ("operator_codes", "[OperatorCode]"),
        2: ("subgraphs", "[SubGraph]"),
        3: ("description", "str"),
        4: ("buffers", "[Buffer]"),
        5: ("metadata_buffer", "*4"),
        6: ("metadata", "[Metadata]"),
        7: ("signature_defs", "[SignatureDef]"),
        8: ("external_buffer_groups", "[ExternalBufferGroup]"),
        9: ("external_buffers", "[ExternalBuffer]"),
    },
    "OperatorCode": {
        0: ("deprecated_builtin_code", "b"),
        1: ("custom_code", "str"),
        3: ("builtin_code", "i"),
    },
    "SubGraph": {
        0: ("tensors", "[Tensor]"),
        1: ("inputs", "*4"),
        2: ("outputs", "*4"),
        3: ("operators", "[Operator]"),
        4: ("name", "str"),
    },
    "Tensor": {
        0: ("shape", "*4"),
        1: ("type", "b"),
        2: ("buffer", "I"),
        3: ("name", "str"),
        4: ("quantization", "QuantizationParameters"),
        6: ("sparsity", "SparsityParameters"),
        7: ("shape_signature", "*4"),
        9: ("variant_tensors", "[VariantSubType]"),
    },
    "VariantSubType": {0: ("shape", "*4")},
    "QuantizationParameters": {
        0: ("min", "*4"),
        1: ("max", "*4"),
        2: ("scale", "*4"),
        3: ("zero_point", "*8"),
        5: ("details", "?QuantizationDetails"),
        6: ("quantized_dimension", "i"),
    },
    "CustomQuantization": {0: ("custom", "*1@16")},
    "BlockwiseQuantization": {3: ("block_shape", "*4")},
    "MultiAxisQuantization": {3: ("quantized_dimensions", "*4")},
    "SparsityParameters": {
        0: ("traversal_order", "*4"),
        1: ("block_map", "*4"),
        2: ("dim_metadata", "[DimensionMetadata]"),
    },
    "DimensionMetadata": {
        3: ("array_segments", "?SparseIndexVector"),
        5: ("array_indices", "?SparseIndexVector"),
    },
    "Int32Vector": {0: ("values", "*4")},
    "Uint16Vector": {0: ("values", "*2@4")},
    "Uint8Vector": {0: ("values", "*1@4")},
    "Operator": {
        0: ("opcode_index", "I"),
        1: ("inputs", "*4"),
        2: ("outputs", "*4"),
        4: ("builtin_options", "?BuiltinOptions"),
        5: ("custom_options", "*1"),
        7: ("mutating_variable_inputs", "*1"),
        8: ("intermediates", "*4"),
        9: ("large_custom_options_offset", "Q"),
        10: ("large_custom_options_size", "Q"),
        12: ("builtin_options_2", "?BuiltinOptions2"),
    },
    "Buffer": {0: ("data", "*1@16"), 1: ("offset", "Q"), 2: ("size", "Q")},
    "Metadata": {0: ("name", "str"), 1: ("buffer", "I")},
    "SignatureDef": {
        0: ("inputs", "[TensorMap]"),
        1: ("outputs", "[TensorMap]"),
        2: ("signature_key", "str"),
    },
    "TensorMap": {0: ("name", "str")},
    "ExternalBufferGroup": {0: ("name", "str")},
    "ExternalBuffer": {4: ("packing", "str")},
    # options of operators: those with fields that are offsets, or that a reader of operators asks for
    "Conv2DOptions": {
        0: ("padding", "b"),
        1: ("stride_width", "i"),
        2: ("stride_height", "i"),
        3: ("activation", "b"),
        4: ("dilation_width", "i"),
        5: ("dilation_height", "i"),
    },
    "DepthwiseConv2DOptions": {
        0: ("padding", "b"),
        1: ("stride_width", "i"),
        2: ("stride_height", "i"),
        3: ("depth_multiplier", "i"),
        4: ("activation", "b"),
        5: ("dilation_width", "i"),
        6: ("dilation_height", "i"),
    },
    "Pool2DOptions": {
        0: ("padding", "b"),
        1: ("stride_width", "i"),
        2: ("stride_height", "i"),
        3: ("window_width", "i"),
        4: ("window_height", "i"),
        5: ("activation", "b"),
    },
    "FullyConnectedOptions": {
        0: ("activation", "b"),
        1: ("weights_format", "b"),
        5: ("quant_spec", "*1"),
    },
    "SoftmaxOptions": {0: ("beta", "f")},
    "ConcatenationOptions": {0: ("axis", "i"), 1: ("activation", "b")},
    "AddOptions": {0: ("activation", "b")},
    "MulOptions": {0: ("activation", "b")},
    "SubOptions": {0: ("activation", "b")},
    "ReducerOptions": {0: ("keep_dims", "b")},
    "ConcatEmbeddingsOptions": {1: ("num_columns", "*4"), 2: ("embedding_dim", "*4")},
    "ReshapeOptions": {0: ("new_shape", "*4")},
    "SqueezeOptions": {0: ("squeeze_dims", "*4")},
    "VarHandleOptions": {0: ("container", "str"), 1: ("shared_name", "str")},
    "BucketizeOptions": {0: ("boundaries", "*4")},
    "StablehloBroadcastInDimOptions": {0: ("dimensions", "*8")},
    "StablehloSliceOptions": {slot: (f"sizes{slot}", "*8") for slot in range(3)},
    "StablehloConvolutionOptions": {
        **{slot: (f"sizes{slot}", "*8") for slot in (0, 1, 2, 3, 7, 10, 13)},
        4: ("window_reversal", "*1"),
        16: ("precision_config", "*4"),
    },
    "StablehloCustomCallOptions": {
        0: ("call_target_name", "str"),
        2: ("backend_config", "str"),
        4: ("called_computations", "*4"),
        5: ("custom_attributes", "*1"),
    },
    "StablehloReduceOptions": {0: ("dimensions", "*8")},
    "StablehloScatterOptions": {slot: (f"dims{slot}", "*8") for slot in (1, 2, 3)},
    "StablehloDynamicSliceOptions": {0: ("slice_sizes", "*8")},
    "StablehloPadOptions": {slot: (f"padding{slot}", "*8") for slot in range(3)},
    "StablehloDotGeneralOptions": {
        **{slot: (f"dims{slot}", "*8") for slot in range(4)},
        4: ("precision_config", "*4"),
    },
    "StablehloReduceWindowOptions": {slot: (f"sizes{slot}", "*8") for slot in range(5)},
    "StablehloGatherOptions": {slot: (f"dims{slot}", "*8") for slot in (0, 1, 2, 4)},
    "StablehloTransposeOptions": {0: ("permutation", "*8")},
    "StableHLOCompositeOptions": {0: ("name", "str"), 2: ("composite_attributes", "*1")},
    "StablehloCaseOptions": {0: ("branch_subgraph_indices", "*4")},
}

UNIONS: Unions = {
    "QuantizationDetails": {
        1: "CustomQuantization",
        2: "BlockwiseQuantization",
        3: "MultiAxisQuantization",
    },
    "SparseIndexVector": {1: "Int32Vector", 2: "Uint16Vector", 3: "Uint8Vector"},
    "BuiltinOptions": {
        1: "Conv2DOptions",
        2: "DepthwiseConv2DOptions",
        3: "ConcatEmbeddingsOptions",
        5: "Pool2DOptions",
        8: "FullyConnectedOptions",
        9: "SoftmaxOptions",
        10: "ConcatenationOptions",
        11: "AddOptions",
        17: "ReshapeOptions",
        21: "MulOptions",
        27: "ReducerOptions",
        28: "SubOptions",
        30: "SqueezeOptions",
        111: "VarHandleOptions",
        115: "BucketizeOptions",
    },
    "BuiltinOptions2": {
        2: "StablehloBroadcastInDimOptions",
        3: "StablehloSliceOptions",
        4: "StablehloConvolutionOptions",
        5: "StablehloCustomCallOptions",
        6: "StablehloReduceOptions",
        7: "StablehloScatterOptions",
        9: "StablehloDynamicSliceOptions",
        10: "StablehloPadOptions",
        12: "StablehloDotGeneralOptions",
        13: "StablehloReduceWindowOptions",
        16: "StablehloGatherOptions",
        17: "StablehloTransposeOptions",
        21: "StableHLOCompositeOptions",
        23: "StablehloCaseOptions",
    },
}
