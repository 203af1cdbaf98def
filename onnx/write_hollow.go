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

// MarshalBeside encodes the model as torch.onnx.export does: in two files, the second of which, called location, has the values of
// all but the smallest tensors. Both belong into one folder.
func (m *Model) MarshalBeside(location string) (file, data []byte, err error) {
	if err := checkLocation(location); err != nil {
		return nil, nil, err
	}
	b := &beside{location: location}
	file, err = m.marshal(writer{beside: b})
	return file, b.data, err
}

// beside is a file that takes values while the model is written.
type beside struct {
	location string
	data     []byte
}

// besideBytes is from what size on a tensor's values are kept beside the model, and besideAligned where each begins, so that the file
// can be mapped into memory.
const besideBytes, besideAligned = 1 << 10, 64

func (b *beside) holds(t *Tensor) bool {
	return b != nil && t.stored == storedRaw && t.Type.Size() > 0 && len(t.Raw) >= besideBytes
}

// keep takes values and returns where they begin.
func (b *beside) keep(raw []byte) (offset int) {
	offset = (len(b.data) + besideAligned - 1) / besideAligned * besideAligned
	b.data = append(append(b.data, make([]byte, offset-len(b.data))...), raw...)
	return offset
}

// elsewhere names a file in place of a tensor's values.
func (w *writer) elsewhere(location string, offset int, t *Tensor) {
	for _, e := range []Metadata{{"location", location}, {"offset", strconv.Itoa(offset)}, {"length", strconv.Itoa(len(t.Raw))}} {
		w.message(fieldTensorExternalData, func() {
			w.str(fieldEntryKey, e.Key)
			w.str(fieldEntryValue, e.Value)
		})
	}
	w.integer(fieldTensorDataLocation, 1) // EXTERNAL
}
