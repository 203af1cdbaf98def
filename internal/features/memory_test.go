package features

import "testing"

func TestMemoryKeepsWithinBytes(t *testing.T) {
	t.Parallel()
	c := NewMemory(100)
	key := func(name string) Key { return Key{Image: name} }
	c.put(key("a"), make([]float32, 10))
	c.put(key("b"), make([]float32, 10))
	c.get(key("a"))
	c.put(key("c"), make([]float32, 10)) // 120 bytes: b was used least recently
	if _, ok := c.get(key("b")); ok {
		t.Error("b is still there")
	}
	for _, name := range []string{"a", "c"} {
		if _, ok := c.get(key(name)); !ok {
			t.Errorf("%s is gone", name)
		}
	}
	c.put(key("a"), make([]float32, 12)) // replaced, not added
	c.put(key("d"), make([]float32, 26)) // larger than everything
	if s := c.Stats(); s.Entries != 2 || s.Bytes != 88 {
		t.Errorf("%+v, want a and c of 88 bytes", s)
	}
}
