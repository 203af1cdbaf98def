package lru

import (
	"slices"
	"testing"
)

func TestTheLeastRecentlyUsedGoes(t *testing.T) {
	t.Parallel()
	c := New[string](100, func(v []byte) int64 { return int64(len(v)) })
	put := func(key string, size int) (evicted []int) {
		for _, v := range c.Put(key, make([]byte, size)) {
			evicted = append(evicted, len(v))
		}
		return evicted
	}
	has := func(key string) bool { _, ok := c.Get(key); return ok }
	put("a", 41)
	put("b", 42)
	has("a")
	if got := put("c", 40); !slices.Equal(got, []int{42}) || has("b") { // b was used least recently
		t.Errorf("evicted %v", got)
	}
	if !has("a") || !has("c") {
		t.Error("a or c is gone")
	}
	if got := put("a", 48); !slices.Equal(got, []int{41}) { // replaced, not added
		t.Errorf("evicted %v", got)
	}
	if got := put("d", 101); !slices.Equal(got, []int{101}) || has("d") { // more than everything
		t.Errorf("evicted %v", got)
	}
	if s := c.Stats(); s != (Stats{Entries: 2, Weight: 88, Hits: 3, Misses: 2}) {
		t.Errorf("%+v", s)
	}
	if got := len(c.Clear()); got != 2 || c.Stats().Weight != 0 || has("a") {
		t.Errorf("cleared %d, left %+v", got, c.Stats())
	}
}
