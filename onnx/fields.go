package onnx

// Numbers of the fields of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), by message. read.go and write.go
// use these names; fields that are not listed here are kept as bytes.
const (
	// ModelProto
	fieldModelIRVersion       = 1
	fieldModelProducerName    = 2
	fieldModelProducerVersion = 3
	fieldModelDomain          = 4
	fieldModelModelVersion    = 5
	fieldModelDocString       = 6
	fieldModelGraph           = 7
	fieldModelOpsetImport     = 8
	fieldModelMetadataProps   = 14
	fieldModelTrainingInfo    = 20
	fieldModelFunctions       = 25

	// TrainingInfoProto
	fieldTrainingInitialization = 1
	fieldTrainingAlgorithm      = 2

	// FunctionProto
	fieldFunctionName           = 1
	fieldFunctionInput          = 4
	fieldFunctionOutput         = 5
	fieldFunctionAttribute      = 6
	fieldFunctionNode           = 7
	fieldFunctionDocString      = 8
	fieldFunctionOpsetImport    = 9
	fieldFunctionDomain         = 10
	fieldFunctionAttributeProto = 11
	fieldFunctionValueInfo      = 12

	// OperatorSetIdProto
	fieldOpsetDomain  = 1
	fieldOpsetVersion = 2

	// StringStringEntryProto
	fieldEntryKey   = 1
	fieldEntryValue = 2

	// GraphProto
	fieldGraphNode              = 1
	fieldGraphName              = 2
	fieldGraphInitializer       = 5
	fieldGraphDocString         = 10
	fieldGraphInput             = 11
	fieldGraphOutput            = 12
	fieldGraphValueInfo         = 13
	fieldGraphSparseInitializer = 15

	// NodeProto
	fieldNodeInput     = 1
	fieldNodeOutput    = 2
	fieldNodeName      = 3
	fieldNodeOpType    = 4
	fieldNodeAttribute = 5
	fieldNodeDocString = 6
	fieldNodeDomain    = 7

	// AttributeProto
	fieldAttributeName          = 1
	fieldAttributeF             = 2
	fieldAttributeI             = 3
	fieldAttributeS             = 4
	fieldAttributeT             = 5
	fieldAttributeG             = 6
	fieldAttributeFloats        = 7
	fieldAttributeInts          = 8
	fieldAttributeStrings       = 9
	fieldAttributeTensors       = 10
	fieldAttributeGraphs        = 11
	fieldAttributeType          = 20
	fieldAttributeSparseTensor  = 22
	fieldAttributeSparseTensors = 23

	// TensorProto
	fieldTensorDims         = 1
	fieldTensorDataType     = 2
	fieldTensorFloatData    = 4
	fieldTensorInt32Data    = 5
	fieldTensorInt64Data    = 7
	fieldTensorName         = 8
	fieldTensorRawData      = 9
	fieldTensorDoubleData   = 10
	fieldTensorUint64Data   = 11
	fieldTensorDocString    = 12
	fieldTensorExternalData = 13
	fieldTensorDataLocation = 14

	// SparseTensorProto
	fieldSparseValues  = 1
	fieldSparseIndices = 2
	fieldSparseDims    = 3

	// ValueInfoProto
	fieldValueName      = 1
	fieldValueType      = 2
	fieldValueDocString = 3

	// TypeProto
	fieldTypeTensorType = 1

	// TypeProto.Tensor
	fieldTensorTypeElemType = 1
	fieldTensorTypeShape    = 2

	// TensorShapeProto
	fieldShapeDim = 1

	// TensorShapeProto.Dimension
	fieldDimValue = 1
	fieldDimParam = 2
)
