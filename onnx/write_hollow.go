package onnx

import "strconv"

// hollowBytes is from what size on MarshalHollow leaves a tensor's values out. What decides shapes is smaller.
const hollowBytes = 64 << 10

// MarshalHollow encodes the model for somebody who opens it and never runs it: it names a file beside it, of size bytes, whose
// first bytes stand for the values of every large tensor. They are others, and nobody looks; what comes out is a thousandth of the
// model, and the start of a file is aligned, which a tensor within a file is not. The file must have an element of every tensor's: that
// of the model has.
func (m *Model) MarshalHollow(file string, size int64) ([]byte, error) {
	return m.marshal(writer{hollow: &hollow{file, size}})
}

// hollow is the file that stands for values.
type hollow struct {
	file string
	size int64
}

// holds reports whether a tensor's values are left out.
func (h *hollow) holds(t *Tensor) bool {
	return h != nil && t.Type == Float && t.stored == storedRaw && len(t.Raw) >= hollowBytes && int64(len(t.Raw)) <= h.size
}

// values names the file in place of a tensor's values.
func (w *writer) values(t *Tensor) {
	for _, e := range []Metadata{{"location", w.hollow.file}, {"offset", "0"}, {"length", strconv.Itoa(len(t.Raw))}} {
		w.message(fieldTensorExternalData, func() {
			w.str(fieldEntryKey, e.Key)
			w.str(fieldEntryValue, e.Value)
		})
	}
	w.integer(fieldTensorDataLocation, 1) // EXTERNAL
}
