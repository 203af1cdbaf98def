package onnx

// Model is an ONNX file: a graph, the operator sets its nodes are written for, and free metadata.
// Reading and writing a Model keeps what this package does not know (see Unknown).
type Model struct {
	IRVersion       int64
	Opsets          []Opset
	ProducerName    string
	ProducerVersion string
	Domain          string
	ModelVersion    int64
	DocString       string
	Graph           *Graph
	Functions       []*Function     // operators that the file defines itself
	Training        []*TrainingInfo // what the file says of its own training; kept, and not followed
	Metadata        []Metadata      // in file order; see MetadataValue and SetMetadata
	Unknown         []byte          // protobuf fields this package does not know, as they were read

	sources []DataSource // see Sources
}

// Sources are the files beside the model that values were read from, in the order of their first use; nil where the model's own file
// held all of them.
func (m *Model) Sources() []DataSource { return m.sources }

// Opset names one operator set a model is written for. Domain "" is ai.onnx.
type Opset struct {
	Domain  string
	Version int64
	Unknown []byte
}

// Metadata is one entry of a model's metadata_props.
type Metadata struct{ Key, Value string }

// Graph is a list of nodes in topological order over named values. Every value has exactly one
// producer: a graph input, an initializer, or one output of one node.
type Graph struct {
	Name         string
	DocString    string
	Nodes        []*Node
	Initializers []*Tensor
	// SparseInitializers are constants whose zeros are left out. They are kept; inference does not know their values.
	SparseInitializers []*SparseTensor
	Inputs             []*ValueInfo // may repeat initializers, as IR versions below 4 demand
	Outputs            []*ValueInfo
	ValueInfo          []*ValueInfo
	Unknown            []byte
}

// Node applies an operator. An optional input that is left out is the empty string.
type Node struct {
	Name       string
	Op         string
	Domain     string
	Inputs     []string
	Outputs    []string
	Attributes []*Attribute
	DocString  string
	Unknown    []byte
}

// Function is an operator that a file defines by nodes of its own.
type Function struct {
	Name       string
	Domain     string
	Inputs     []string
	Outputs    []string
	Attributes []string     // those a caller must give
	Defaults   []*Attribute // those with a value where a caller gives none
	Nodes      []*Node
	Opsets     []Opset
	ValueInfo  []*ValueInfo
	DocString  string
	Unknown    []byte
}

// TrainingInfo is how a file says it should be trained.
type TrainingInfo struct {
	Initialization, Algorithm *Graph // either may be nil
	Unknown                   []byte
}

// SparseTensor is a constant of which only some elements are given.
type SparseTensor struct {
	Values, Indices *Tensor // either may be nil
	Dims            []int64
	Unknown         []byte
}

// AttributeType is the protobuf enum AttributeProto.AttributeType.
type AttributeType int32

// The attribute types this package interprets; the others are kept as bytes.
const (
	AttributeFloat         AttributeType = 1
	AttributeInt           AttributeType = 2
	AttributeString        AttributeType = 3
	AttributeTensor        AttributeType = 4
	AttributeGraph         AttributeType = 5
	AttributeFloats        AttributeType = 6
	AttributeInts          AttributeType = 7
	AttributeStrings       AttributeType = 8
	AttributeTensors       AttributeType = 9
	AttributeGraphs        AttributeType = 10
	AttributeSparseTensor  AttributeType = 11
	AttributeSparseTensors AttributeType = 12
)

// Attribute is a named constant of a node; Type says which field holds it. Graphs are the bodies of control flow (If, Loop, Scan).
type Attribute struct {
	Name    string
	Type    AttributeType
	Float   float32
	Int     int64
	String  []byte
	Tensor  *Tensor
	Floats  []float32
	Ints    []int64
	Strings [][]byte
	Graph   *Graph
	Tensors []*Tensor
	Graphs  []*Graph
	Sparse  *SparseTensor
	Sparses []*SparseTensor
	Unknown []byte
}

// DataType is the protobuf enum TensorProto.DataType.
type DataType int32

// The element types that occur in ABN files.
const (
	Float    DataType = 1
	Uint8    DataType = 2
	Int8     DataType = 3
	Uint16   DataType = 4
	Int16    DataType = 5
	Int32    DataType = 6
	Int64    DataType = 7
	String   DataType = 8
	Bool     DataType = 9
	Float16  DataType = 10
	Double   DataType = 11
	BFloat16 DataType = 16
)

// Tensor is a constant: an initializer, or the value of a Constant node. Raw holds the elements in
// little-endian order whatever form the file stored them in; Float32s and Int64s decode it.
type Tensor struct {
	Name      string
	Type      DataType
	Dims      []int64
	Raw       []byte
	DocString string
	Unknown   []byte

	// external is where a tensor lies that the file only names, until resolveExternal has seen to it; see external.go.
	external *externalData

	// stored remembers the form the file used, so that an unchanged tensor is written as it was read.
	stored storage
}

// storage is how a TensorProto held its elements.
type storage uint8

const (
	storedRaw   storage = iota // raw_data
	storedTyped                // float_data, int64_data, int32_data, double_data …
)

// Dim is one axis of a shape: a known Size (Name empty, Size ≥ 0), a Name for a size that varies from
// run to run (conventionally "N", the batch), or neither (Size -1): unknown.
type Dim struct {
	Size int64
	Name string
}

// Shape is a value's axes in order; nil means that not even the rank is known, an empty non-nil
// Shape is a scalar.
type Shape []Dim

// ValueInfo gives the type and, as far as known, the shape of a named value.
type ValueInfo struct {
	Name      string
	Type      DataType
	Shape     Shape
	DocString string
	Unknown   []byte

	// storedType is the TypeProto the file used, written again while Type and Shape are what it says.
	storedType []byte
}
