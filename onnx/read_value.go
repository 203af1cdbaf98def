package onnx

func (r *reader) valueInfo(list *[]*ValueInfo, f wireField, field string) error {
	v := &ValueInfo{}
	*list = append(*list, v)
	b, err := f.bytes()
	if err == nil {
		err = r.fields(b, f.start, func(f wireField) error {
			switch f.number {
			case fieldValueName:
				return within(f.name(&v.Name), "name")
			case fieldValueType:
				b, err := f.bytes()
				if err != nil {
					return within(err, "type")
				}
				v.storedType = b
				v.Type, v.Shape, err = r.tensorType(b, f.start)
				return within(err, "type")
			case fieldValueDocString:
				return within(f.text(&v.DocString), "doc_string")
			}
			v.Unknown = append(v.Unknown, f.raw...)
			return nil
		})
	}
	return withinList(err, field, len(*list)-1)
}

// tensorType reads a TypeProto; one that is no tensor leaves type and shape zero.
func (r *reader) tensorType(data []byte, base int) (dtype DataType, shape Shape, err error) {
	err = r.fields(data, base, func(f wireField) error {
		if f.number != fieldTypeTensorType {
			return nil
		}
		b, err := f.bytes()
		if err != nil {
			return within(err, "tensor_type")
		}
		return within(r.fields(b, f.start, func(f wireField) error {
			switch f.number {
			case fieldTensorTypeElemType:
				var v int64
				err := f.integer(&v)
				dtype = DataType(v)
				return within(err, "elem_type")
			case fieldTensorTypeShape:
				shape = Shape{}
				b, err := f.bytes()
				if err != nil {
					return within(err, "shape")
				}
				return within(r.fields(b, f.start, func(f wireField) error {
					if f.number != fieldShapeDim {
						return nil
					}
					d, err := r.dim(f)
					shape = append(shape, d)
					return withinList(err, "dim", len(shape)-1)
				}), "shape")
			}
			return nil
		}), "tensor_type")
	})
	return dtype, shape, err
}

func (r *reader) dim(f wireField) (Dim, error) {
	d := Unknown()
	b, err := f.bytes()
	if err != nil {
		return d, err
	}
	err = r.fields(b, f.start, func(f wireField) error {
		switch f.number {
		case fieldDimValue:
			err := f.integer(&d.Size)
			d.Size = max(d.Size, -1) // some exporters write a negative size for an axis they do not know
			return within(err, "dim_value")
		case fieldDimParam:
			err := f.name(&d.Name)
			if d.Name != "" {
				d.Size = 0
			}
			return within(err, "dim_param")
		}
		return nil
	})
	return d, err
}
