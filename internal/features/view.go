package features

// View is a Store as one scan or one training sees it: the features of one network. Make one with Store.View. It is safe for
// concurrent use.
type View struct {
	store  *Store
	origin Origin
	dims   [3]int
}

// View is the store's features of one network, each of dims C, h, w.
func (s *Store) View(origin Origin, dims [3]int) *View {
	return &View{store: s, origin: origin, dims: dims}
}

func (v *View) key(image string, mirrored bool) Key {
	return Key{Origin: v.origin, Image: image, Mirrored: mirrored}
}

// Get reads the features of an image, by its hash, into dst [C, h, w] and reports whether they are there.
func (v *View) Get(image string, dst []float32) (bool, error) {
	return v.store.Get(v.key(image, false), v.dims, dst)
}

// Put keeps the features [C, h, w] of an image, by its hash.
func (v *View) Put(image string, values []float32) error {
	return v.store.Put(v.key(image, false), v.dims, values)
}
