package features

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestFloat16RoundsToNearestEven(t *testing.T) {
	t.Parallel()
	table := float16Values()
	for _, c := range []struct {
		in   float32
		want uint16
	}{
		{0, 0}, {float32(math.Copysign(0, -1)), 0x8000}, {1, 0x3c00}, {-2, 0xc000}, {65504, 0x7bff}, {65519, 0x7bff}, {65520, 0x7c00},
		{float32(math.Inf(-1)), 0xfc00}, {0x1p-24, 1}, {0x1p-25, 0}, {0x1.8p-24, 2}, {0x1.000002p-25, 1}, {0x1p-14, 0x400},
		{1 + 0x1p-11, 0x3c00}, {1 + 0x3p-11, 0x3c02}, {1 + 0x1.1p-11, 0x3c01}, // ties go to the even neighbour
		{0x1.ffep-15, 0x3ff + 1}, {0x1.ffcp-15, 0x400}, {0x1.ff8p-15, 0x3ff},
	} {
		if got := float16FromFloat32(c.in); got != c.want {
			t.Errorf("float16(%x) = %#04x, want %#04x", c.in, got, c.want)
		}
	}
	if v := table[float16FromFloat32(float32(math.NaN()))]; v == v {
		t.Errorf("NaN became %v", v)
	}
	for i := range 1 << 16 { // every float16 survives
		v := table[i]
		if back := float16FromFloat32(v); v == v && back != uint16(i) {
			t.Fatalf("%#04x → %v → %#04x", i, v, back)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200_000 { // and nothing lies nearer
		v := math.Float32frombits(rng.Uint32())
		if v != v || v >= maxFloat16 || v <= -maxFloat16 {
			continue
		}
		h := float16FromFloat32(v)
		off := math.Abs(float64(table[h]) - float64(v))
		for _, n := range []uint16{h - 1, h + 1} {
			near := float64(table[n])
			if n&0x7c00 == 0x7c00 || near != near || (n&0x8000) != (h&0x8000) {
				continue
			}
			if other := math.Abs(near - float64(v)); other < off || other == off && h&1 == 1 {
				t.Fatalf("float16(%x) = %#04x, but %#04x is nearer or even", v, h, n)
			}
		}
	}
}

// testStore is a store with a clock of its own.
func testStore(t testing.TB, o Options) (*Store, *time.Time) {
	t.Helper()
	clock := time.Now()
	if o.Now == nil {
		o.Now = func() time.Time { return clock }
	}
	s, err := Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s, &clock
}

func testFeatures(seed uint64, dims [3]int) []float32 {
	rng := rand.New(rand.NewPCG(seed, 0))
	out := make([]float32, dims[0]*dims[1]*dims[2])
	for i := range out {
		out[i] = float32(rng.NormFloat64())
	}
	return out
}

func imageKey(i int) Key {
	return Key{Origin: Origin{"e", "p"}, Image: fmt.Sprint(i)}
}

func get(s *Store, k Key, dims [3]int, dst []float32) bool {
	return s.get(s.path(k, k.digest()), k.digest(), dims, dst)
}

func put(s *Store, k Key, dims [3]int, values []float32) bool {
	return s.put(s.path(k, k.digest()), k.digest(), dims, values)
}

func has(s *Store, k Key) bool { return s.has(s.path(k, k.digest())) }

func entries(t testing.TB, s *Store) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestStoreKeepsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	dims := [3]int{3, 4, 5}
	values := testFeatures(1, dims)
	for _, precision := range []Precision{Float16, Float32} {
		s, _ := testStore(t, Options{Precision: precision})
		k := imageKey(1)
		got := make([]float32, 60)
		if get(s, k, dims, got) || has(s, k) {
			t.Fatal("an empty store has it")
		}
		if !put(s, k, dims, values) {
			t.Fatal("refused")
		}
		if !get(s, k, dims, got) || !has(s, k) {
			t.Fatal("not kept")
		}
		want := slices.Clone(values)
		s.Round(want)
		if !slices.Equal(got, want) {
			t.Errorf("precision %d: read other values than Round promises", precision)
		}
		for i, v := range values {
			if off := math.Abs(float64(got[i] - v)); off > math.Abs(float64(v))*0x1p-11 || precision == Float32 && off != 0 {
				t.Fatalf("precision %d: %v became %v", precision, v, got[i])
			}
		}
		// Every part of the key is part of the address.
		for name, other := range map[string]Key{
			"extractor": {Origin{"f", "p"}, "1", false}, "preprocessing": {Origin{"e", "q"}, "1", false}, "image": {Origin{"e", "p"}, "2", false}, "mirrored": {Origin{"e", "p"}, "1", true},
		} {
			if get(s, other, dims, got) {
				t.Errorf("another %s found the same entry", name)
			}
		}
	}
}

func TestStoreKeepsLargeValuesWhole(t *testing.T) {
	t.Parallel()
	s, _ := testStore(t, Options{})
	dims := [3]int{1, 1, 3}
	values := []float32{1.0001, 70000, -3}
	put(s, imageKey(1), dims, values)
	got := make([]float32, 3)
	if !get(s, imageKey(1), dims, got) || !slices.Equal(got, values) {
		t.Errorf("got %v, want %v", got, values)
	}
	rounded := slices.Clone(values)
	if s.Round(rounded); !slices.Equal(rounded, values) {
		t.Errorf("Round makes %v of %v", rounded, values)
	}
}

func TestStoreNoticesCorruption(t *testing.T) {
	t.Parallel()
	dims := [3]int{2, 3, 3}
	for name, corrupt := range map[string]func([]byte) []byte{
		"flipped value":  func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"flipped header": func(b []byte) []byte { b[12] ^= 1; return b },
		"flipped sum":    func(b []byte) []byte { b[57] ^= 1; return b },
		"torn":           func(b []byte) []byte { return b[:len(b)-5] },
		"empty":          func([]byte) []byte { return nil },
		"zeros":          func(b []byte) []byte { clear(b); return b },
		"longer":         func(b []byte) []byte { return append(b, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := testStore(t, Options{})
			put(s, imageKey(1), dims, testFeatures(1, dims))
			path := entries(t, s)[0]
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, corrupt(data), 0o644); err != nil {
				t.Fatal(err)
			}
			if get(s, imageKey(1), dims, make([]float32, 18)) {
				t.Fatal("served")
			}
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the corrupt entry is still there")
			}
			if got := s.Stats().Corrupt; got != 1 {
				t.Errorf("counted %d corrupt entries", got)
			}
		})
	}
	t.Run("entry under another's name", func(t *testing.T) {
		t.Parallel()
		s, _ := testStore(t, Options{})
		for i := range 2 {
			put(s, imageKey(i), dims, testFeatures(uint64(i), dims))
		}
		from, to := s.path(imageKey(0), imageKey(0).digest()), s.path(imageKey(1), imageKey(1).digest())
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
		if get(s, imageKey(1), dims, make([]float32, 18)) {
			t.Error("served another image's features")
		}
	})
}

func TestStoreEvictsTheLeastRecentlyUsed(t *testing.T) {
	t.Parallel()
	dims := [3]int{1, 10, 10}
	const size = entryHeader + 200
	s, clock := testStore(t, Options{MaxBytes: 10 * size, Keep: time.Minute})
	buffer := make([]float32, 100)
	for i := range 10 {
		put(s, imageKey(i), dims, testFeatures(uint64(i), dims))
		*clock = clock.Add(time.Second)
	}
	*clock = clock.Add(time.Hour)
	if !get(s, imageKey(0), dims, buffer) { // the oldest is used again
		t.Fatal("it is gone")
	}
	if !put(s, imageKey(10), dims, testFeatures(10, dims)) {
		t.Fatal("no room is made")
	}
	for i, want := range []bool{true, false, false, true, true, true, true, true, true, true, true} {
		if got := has(s, imageKey(i)); got != want {
			t.Errorf("entry %d there: %v, want %v", i, got, want)
		}
	}
	if st := s.Stats(); st.Evicted != 2 || st.Bytes != 9*size {
		t.Errorf("stats %+v, want 2 evicted, %d bytes", st, 9*size)
	}
}

func TestStoreRefusesRatherThanThrash(t *testing.T) {
	t.Parallel()
	dims := [3]int{1, 10, 10}
	const size = entryHeader + 200
	s, clock := testStore(t, Options{MaxBytes: 5 * size, Keep: time.Minute})
	for range 3 { // three epochs over eight images where five fit
		for i := range 8 {
			*clock = clock.Add(time.Second)
			if !get(s, imageKey(i), dims, make([]float32, 100)) {
				put(s, imageKey(i), dims, testFeatures(uint64(i), dims))
			}
		}
	}
	if st := s.Stats(); st.Hits != 10 || st.Evicted != 0 || st.Refused != 9 || st.Bytes > 5*size {
		t.Errorf("stats %+v, want the first five entries served twice", st)
	}
}

func TestStoreSharedByManyWriters(t *testing.T) {
	t.Parallel()
	dims := [3]int{2, 7, 7}
	const size = entryHeader + 2*98
	dir := t.TempDir()
	var group sync.WaitGroup
	for worker := range 4 { // each with a store of its own, as processes have
		s, err := Open(dir, Options{MaxBytes: 40 * size, Keep: time.Nanosecond})
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			got := make([]float32, 98)
			for i := range 300 {
				image := (i*7 + worker) % 60
				want := testFeatures(uint64(image), dims)
				s.Round(want)
				switch {
				case !get(s, imageKey(image), dims, got):
					put(s, imageKey(image), dims, want)
				case !slices.Equal(got, want):
					t.Errorf("image %d: wrong features", image)
				}
			}
			if st := s.Stats(); st.Corrupt != 0 {
				t.Errorf("worker %d saw %d corrupt entries", worker, st.Corrupt)
			}
		})
	}
	group.Wait()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range entries(t, s) {
		if filepath.Ext(path) != entrySuffix {
			t.Errorf("%s was left behind", path)
		}
	}
}

func TestStoreSweepsUpAfterACrash(t *testing.T) {
	t.Parallel()
	s, clock := testStore(t, Options{})
	stale, fresh := filepath.Join(s.dir, tempPrefix+"1"), filepath.Join(s.dir, tempPrefix+"2")
	for _, p := range []string{stale, fresh} {
		if err := os.WriteFile(p, []byte("half an entry"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old := clock.Add(-2 * time.Hour)
	if err := os.Chtimes(stale, old, old); err != nil {
		t.Fatal(err)
	}
	put(s, imageKey(1), [3]int{1, 1, 1}, []float32{1})
	if _, err := os.Stat(stale); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a dead process's temporary file is still there")
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Error("a live process's temporary file was removed")
	}
}
