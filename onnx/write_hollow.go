package onnx

import "strconv"

// hollowBytes is the size from which MarshalHollow leaves a tensor's values out. Tensors that decide shapes are smaller.
const hollowBytes = 64 << 10

// MarshalHollow encodes the model for a session that is opened and never run. The values of every large tensor are left out: in
// their place it names a file of size bytes, and each tensor takes its values from the start of that file, which is aligned where
// the tensor's own place in it may not be. They are wrong, but nothing reads them. The encoding is about a thousandth of the
// model. The file must be as large as the largest tensor, which the model's own file is.
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
