package onnx

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// fieldNodeMetadata is NodeProto.metadata_props. It stays among a node's unknown bytes: most nodes have none, and it does not
// change what is computed.
const fieldNodeMetadata = 9

// MetadataValue looks up an entry of a node's metadata_props, such as the modules that torch.export says it comes from.
func (n *Node) MetadataValue(key string) (value string, ok bool) {
	for rest := n.Unknown; len(rest) > 0; {
		number, kind, size := protowire.ConsumeTag(rest)
		if size < 0 {
			return "", false
		}
		rest = rest[size:]
		if number != fieldNodeMetadata || kind != protowire.BytesType {
			if size = protowire.ConsumeFieldValue(number, kind, rest); size < 0 {
				return "", false
			}
			rest = rest[size:]
			continue
		}
		entry, size := protowire.ConsumeBytes(rest)
		if size < 0 {
			return "", false
		}
		rest = rest[size:]
		if k, v := entryOf(entry); k == key {
			return v, true
		}
	}
	return "", false
}

// entryOf decodes a StringStringEntryProto; what is malformed is empty.
func entryOf(b []byte) (key, value string) {
	for len(b) > 0 {
		number, kind, size := protowire.ConsumeTag(b)
		if size < 0 || kind != protowire.BytesType {
			return "", ""
		}
		text, length := protowire.ConsumeString(b[size:])
		if length < 0 {
			return "", ""
		}
		switch number {
		case fieldEntryKey:
			key = text
		case fieldEntryValue:
			value = text
		}
		b = b[size+length:]
	}
	return key, value
}

// ReadsBuffer reports whether torch.export notes that a node reads an initializer as a buffer of the module or another tensor that it
// keeps, and no parameter: a filter that blurs, positions by sines, a mask. No training in PyTorch changes it.
func (n *Node) ReadsBuffer(name string) bool {
	text, ok := n.MetadataValue("pkg.torch.onnx.fx_node")
	if !ok {
		return false
	}
	name, _, _ = strings.Cut(name, "/") // of a layer's own copy
	for _, kind := range []string{"%b_", "%c_"} {
		read := kind + strings.ReplaceAll(name, ".", "_")
		for rest := text; ; {
			_, after, found := strings.Cut(rest, read)
			if !found {
				break
			}
			if after == "" || strings.ContainsAny(after[:1], ",) ]") {
				return true
			}
			rest = after
		}
	}
	return false
}
