package picture

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/picture/picturetest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// files are pictures of every kind that differs in what its decoding allocates.
func files(t testing.TB) map[string][]byte {
	t.Helper()
	const w, h = 701, 503 // no multiples of a block
	rect := image.Rect(0, 0, w, h)
	painted := func(img draw.Image) image.Image {
		draw.Draw(img, rect, image.NewUniform(color.NRGBA{200, 100, 50, 255}), image.Point{}, draw.Src)
		img.Set(3, 3, color.NRGBA{1, 2, 3, 128})
		return img
	}
	palette := color.Palette{color.NRGBA{0, 0, 0, 255}, color.NRGBA{200, 100, 50, 255}}
	images := map[string]image.Image{
		"grey": painted(image.NewGray(rect)), "grey 16": painted(image.NewGray16(rect)), "palette": painted(image.NewPaletted(rect, palette)),
		"colour": painted(image.NewRGBA(rect)), "colour with alpha": painted(image.NewNRGBA(rect)), "colour 16": painted(image.NewNRGBA64(rect)),
	}
	out := map[string][]byte{}
	for name, img := range images {
		var p, b, plain, deflated bytes.Buffer
		must(t, png.Encode(&p, img))
		out["png "+name] = p.Bytes()
		if name != "grey 16" && name != "colour 16" {
			must(t, bmp.Encode(&b, img))
			out["bmp "+name] = b.Bytes()
		}
		must(t, tiff.Encode(&plain, img, nil))
		must(t, tiff.Encode(&deflated, img, &tiff.Options{Compression: tiff.Deflate, Predictor: true}))
		out["tiff "+name], out["tiff deflated "+name] = plain.Bytes(), deflated.Bytes()
	}
	out["png interlaced 16"] = interlaced(t, w, h)
	out["png transparent grey"] = picturetest.PNGChunk(out["png grey"], "tRNS", []byte{0, 7})
	var j bytes.Buffer
	must(t, jpeg.Encode(&j, images["colour"], nil))
	out["jpeg by package jpeg"] = j.Bytes()
	for name, s := range map[string][]byte{
		"grey": {0x11}, "grey 2×2": {0x22}, "4:4:4": {0x11, 0x11, 0x11}, "4:2:0": {0x22, 0x11, 0x11}, "4:2:2": {0x21, 0x11, 0x11},
		"4:1:0": {0x42, 0x11, 0x11}, "chroma differs": {0x22, 0x21, 0x12}, "thirds": {0x31, 0x11, 0x11}, "chroma finer": {0x11, 0x22, 0x22}, "CMYK": {0x11, 0x11, 0x11, 0x11}, "CMYK halved": {0x22, 0x11, 0x11, 0x22},
	} {
		for _, progressive := range []bool{false, true} {
			encoded := picturetest.JPEG{Width: w, Height: h, Sampling: s, Progressive: progressive}.Encode()
			out[fmt.Sprintf("jpeg %s, progressive %v", name, progressive)] = encoded
			if len(s) == 4 { // the marker's name is nobody's
				out[fmt.Sprintf("jpeg %s unmarked, progressive %v", name, progressive)] = bytes.Replace(encoded, []byte("Adobe"), []byte("adobe"), 1)
			}
		}
	}
	out["webp lossless"] = picturetest.WebP(w, h)
	lossy, err := os.ReadFile(filepath.Join(fixture.Reference(t), "preprocess", "lossy.webp"))
	must(t, err)
	out["webp lossy"] = lossy
	return out
}

// interlaced is a PNG of 16-bit colour in seven passes, which package png does not write.
func interlaced(t testing.TB, w, h int) []byte {
	t.Helper()
	body := binary.BigEndian.AppendUint32(nil, uint32(w))
	body = binary.BigEndian.AppendUint32(body, uint32(h))
	body = append(body, 16, 6, 0, 0, 1)
	var rows bytes.Buffer
	z := zlib.NewWriter(&rows)
	for _, p := range [][4]int{{8, 8, 0, 0}, {8, 8, 4, 0}, {4, 8, 0, 4}, {4, 4, 2, 0}, {2, 4, 0, 2}, {2, 2, 1, 0}, {1, 2, 0, 1}} {
		pw, ph := (w-p[2]+p[0]-1)/p[0], (h-p[3]+p[1]-1)/p[1]
		_, err := z.Write(make([]byte, ph*(1+8*pw)))
		must(t, err)
	}
	must(t, z.Close())
	blank := append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 25)...)
	out := picturetest.PNGChunk(picturetest.PNGChunk(picturetest.PNGChunk(blank, "IEND", nil), "IDAT", rows.Bytes()), "IHDR", body)
	return append(out[:8:8], out[8+25:]...)
}

// A picture's weight is what decoding it allocates: never less, and not so much more that pictures are refused for nothing.
// It runs alone, before the parallel tests: what others allocate counts too.
func TestWeightIsWhatDecodingTakes(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates too")
	}
	d := NewDecoder(Limits{})
	for name, data := range files(t) {
		h, err := d.Header(bytes.NewReader(data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err = d.Decode(t.Context(), bytes.NewReader(data), nil, func(_ context.Context, img image.Image, _ Header) error {
			runtime.ReadMemStats(&after)
			if size := img.Bounds().Size(); size.X != h.Width || size.Y != h.Height {
				t.Errorf("%s: %v, the header says %d×%d", name, size, h.Width, h.Height)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		took := int64(after.TotalAlloc - before.TotalAlloc)
		t.Logf("%-36s weighs %8d, takes %8d", name, h.Weight, took)
		if took > h.Weight {
			t.Errorf("%s weighs %d bytes and takes %d", name, h.Weight, took)
		}
		spare := int64(2 * overhead)
		switch h.Kind {
		case "lossless", "one large strip": // what their decoders may take does not show in the header
			spare += 24*h.Pixels() + 300*h.Bytes
		}
		if h.Weight > 2*took+spare {
			t.Errorf("%s weighs %d bytes and takes only %d", name, h.Weight, took)
		}
	}
}

// Pictures that are small as files and large when they are decoded are refused before anything is allocated, with words.
// It runs alone, as above.
func TestBombsAreRefused(t *testing.T) {
	if raceDetector {
		t.Skip("one decoder on one goroutine, which the race detector makes ten times as slow")
	}
	d := NewDecoder(Limits{One: 1 << 30, All: 1 << 30})
	small := files(t)["png grey"]
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	for range 64 {
		_, err := z.Write(make([]byte, 1<<20))
		must(t, err)
	}
	must(t, z.Close())
	profile := append([]byte("icc\x00\x00"), packed.Bytes()...)
	for name, c := range map[string]struct {
		data []byte
		says []string // nothing: it is read, and costs no more than its pixels
	}{
		"progressive of 100 MP":    {picturetest.JPEG{Width: 10000, Height: 10000, Progressive: true}.Encode(), []string{"10000×10000", "progressive jpeg", "1.4 GiB", "limit of 1.0 GiB", "save it without progressive", "--max-picture-mb"}},
		"lossless WebP of 30 B":    {picturetest.WebP(16384, 16384), []string{"16384×16384", "lossless webp"}},
		"501 scans":                {picturetest.JPEG{Width: 64, Height: 64, Progressive: true, Passes: 500}.Encode(), []string{"501 scans", "baseline"}},
		"200 scans of 24 MP":       {picturetest.JPEG{Width: 6000, Height: 4000, Sampling: []byte{0x11}, Progressive: true, Passes: 199}.Encode(), []string{"200 scans", "at most 125"}},
		"scans behind a false end": {hiddenScans(), []string{"decoding the jpeg"}},
		"packed iCCP":              {picturetest.PNGChunk(small, "iCCP", profile), nil},
		"packed zTXt":              {picturetest.PNGChunk(small, "zTXt", profile), nil},
		"eXIf of 8 MiB":            {picturetest.PNGChunk(small, "eXIf", append([]byte("MM\x00*\x00\x00\x00\x08\xff\xff"), make([]byte, 8<<20)...)), nil},
		"eXIf that points beyond":  {picturetest.PNGChunk(small, "eXIf", []byte("MM\x00*\xff\xff\xff\xff")), nil},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := d.Decode(t.Context(), bytes.NewReader(c.data), nil, func(context.Context, image.Image, Header) error { return nil })
		runtime.ReadMemStats(&after)
		if took, most := int64(after.TotalAlloc-before.TotalAlloc), int64(4*len(c.data)+3<<20); took > most {
			t.Errorf("%s: took %d bytes, want at most %d", name, took, most)
		}
		if (err == nil) != (c.says == nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, text := range c.says {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %q does not say %q", name, err, text)
			}
		}
	}
}

// hiddenScans has an end marker where a restart marker is due: package jpeg looks for that one and goes on behind the end, to
// scans that would not have been counted.
func hiddenScans() []byte {
	many := picturetest.JPEG{Width: 64, Height: 64, Sampling: []byte{0x11}, Progressive: true, Passes: 600}.Encode()
	frame := bytes.Index(many, []byte{0xff, 0xda})
	out := append([]byte{}, many[:frame]...)
	out = append(out, 0xff, 0xdd, 0, 4, 0, 8) // a restart every 8 units
	out = append(out, many[frame:frame+10]...)
	out = append(out, 0, 0xff, 0xd9, 0xff, 0xd0) // eight blocks, the false end, the restart
	for i := 1; i < 8; i++ {
		out = append(out, 0, 0xff, byte(0xd0+i))
	}
	return append(out, many[frame+10+9:]...)
}

// However many ask, together they never hold more than there is; one that outweighs all of it is decoded alone; all come to an end.
func TestDecodersShareABudget(t *testing.T) {
	t.Parallel()
	light := picturetest.JPEG{Width: 400, Height: 400, Progressive: true}.Encode()
	heavy := picturetest.JPEG{Width: 1200, Height: 1200, Progressive: true}.Encode()
	d := NewDecoder(Limits{One: 1 << 30, All: 8 << 20})
	weigh := func(data []byte) int64 {
		h, err := d.Header(bytes.NewReader(data))
		must(t, err)
		return h.Weight
	}
	if lightest, heaviest := weigh(light), weigh(heavy); 2*lightest > 8<<20 || heaviest <= 8<<20 {
		t.Fatalf("they weigh %d and %d", lightest, heaviest)
	}
	var held, most, alone atomic.Int64
	var all sync.WaitGroup
	for i := range 40 {
		data := light
		if i%8 == 3 {
			data = heavy
		}
		all.Go(func() {
			err := d.Decode(t.Context(), bytes.NewReader(data), nil, func(_ context.Context, _ image.Image, h Header) error {
				defer held.Add(-min(h.Weight, 8<<20))
				for now := held.Add(min(h.Weight, 8<<20)); ; {
					seen := most.Load()
					if now <= seen || most.CompareAndSwap(seen, now) {
						break
					}
				}
				if h.Weight > 8<<20 {
					alone.Add(1)
				}
				runtime.Gosched()
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() > 8<<20 || alone.Load() != 5 {
		t.Errorf("at most %d bytes were held of %d, and %d of 5 heavy pictures decoded", most.Load(), 8<<20, alone.Load())
	}
}

// Who waits can go, what failed gives its memory back, and a picture within a picture is refused instead of waiting for itself.
func TestDecodeGivesBackWhatItTook(t *testing.T) {
	t.Parallel()
	d := NewDecoder(Limits{One: 64 << 20, All: 1 << 20})
	data := picturetest.JPEG{Width: 800, Height: 600}.Encode()
	ctx, cancel := context.WithCancelCause(t.Context())
	gone, broken := errors.New("the visitor left"), errors.New("no use for it")
	err := d.Decode(t.Context(), bytes.NewReader(data), nil, func(inner context.Context, _ image.Image, _ Header) error {
		if err := d.Decode(inner, bytes.NewReader(data), nil, nil); err == nil || !strings.Contains(err.Error(), "while another one was held") {
			t.Errorf("a picture within a picture: %v", err)
		}
		waiting := make(chan error)
		go func() { waiting <- d.Decode(ctx, bytes.NewReader(data), nil, nil) }()
		cancel(gone)
		if err := <-waiting; !errors.Is(err, gone) {
			t.Errorf("who left while waiting has %v", err)
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("the use's error is %v", err)
	}
	for _, cut := range []int{len(data) / 2, len(data) - 3} {
		if err := d.Decode(t.Context(), bytes.NewReader(data[:cut]), nil, nil); err == nil || !strings.Contains(err.Error(), "truncated") {
			t.Errorf("cut to %d of %d bytes: %v", cut, len(data), err)
		}
	}
	if !d.memory.TryAcquire(1 << 20) {
		t.Error("not all of the memory was given back")
	}
}

// What use makes of the pixels counts like the decoder's own.
func TestOwnMemoryCounts(t *testing.T) {
	t.Parallel()
	d := NewDecoder(Limits{One: 64 << 20, All: 64 << 20})
	data := picturetest.JPEG{Width: 80, Height: 60}.Encode()
	var large *TooLargeError
	err := d.Decode(t.Context(), bytes.NewReader(data), func(Header) int64 { return 64 << 20 }, nil)
	if !errors.As(err, &large) || large.Limit != 64<<20 {
		t.Errorf("64 MiB of one's own beside a picture: %v", err)
	}
}

// seekOnly hides everything but reading and seeking, as a blob does.
type seekOnly struct{ io.ReadSeeker }

func TestHeaderOfEveryKind(t *testing.T) {
	t.Parallel()
	if raceDetector {
		t.Skip("one decoder on one goroutine, which the race detector makes ten times as slow")
	}
	for name, data := range files(t) {
		kind, _, _ := strings.Cut(name, " ")
		h, err := NewDecoder(Limits{}).Header(seekOnly{bytes.NewReader(data)})
		if err != nil || h.Format != kind || h.Bytes != int64(len(data)) || h.Orientation != 1 {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
	if _, err := NewDecoder(Limits{}).Header(strings.NewReader("words")); !errors.Is(err, ErrNotPicture) {
		t.Errorf("words: %v", err)
	}
}

// The limits follow the memory there is.
func TestDefaultLimits(t *testing.T) {
	t.Parallel()
	for memory, want := range map[int64]Limits{2 << 30: {One: 512 << 20, All: 256 << 20}, 24 << 30: {One: 2 << 30, All: 3 << 30}} {
		if got := DefaultLimits(memory); got != want {
			t.Errorf("of %d bytes: %+v, want %+v", memory, got, want)
		}
	}
}

// asChild is set where the test binary is to decode nine pictures at once and say how much memory it had at most.
const asChild = "PICTURE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		nineAtOnce()
		return
	}
	os.Exit(m.Run())
}

func nineAtOnce() {
	SetLimits(Limits{One: 256 << 20, All: 192 << 20})
	data := picturetest.JPEG{Width: 3000, Height: 3000, Progressive: true}.Encode()
	var all sync.WaitGroup
	for range 9 {
		all.Go(func() {
			if err := Process().Decode(context.Background(), bytes.NewReader(data), nil, func(context.Context, image.Image, Header) error { return nil }); err != nil {
				panic(err)
			}
		})
	}
	all.Wait()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			fmt.Print(strings.Fields(line)[1])
		}
	}
}

// Nine progressive JPEGs of 9 megapixels at once, each 129 MiB decoded, stay within a budget of 192 MiB: the process's
// largest resident size shows it.
func TestNinePicturesAtOnceStayWithinTheBudget(t *testing.T) {
	t.Parallel()
	if raceDetector {
		t.Skip("the race detector keeps memory of its own")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the largest resident size is read from /proc")
	}
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), asChild+"=1", "GOMAXPROCS=9")
	out, err := child.Output()
	must(t, err)
	var kib int64
	if _, err := fmt.Sscan(string(out), &kib); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	t.Logf("at most %d MiB", kib>>10)
	if kib > 400<<10 {
		t.Errorf("%d MiB at most, want no more than 400", kib>>10)
	}
}

// FuzzHeader: whatever is decoded weighs what it takes, and nothing panics.
func FuzzHeader(f *testing.F) {
	for _, data := range files(f) {
		if len(data) < 1<<12 {
			f.Add(data)
		}
	}
	for _, folder := range []string{"pictures", "refused"} {
		for _, data := range fixtures(f, folder) {
			f.Add(data)
		}
	}
	f.Add(hiddenScans())
	d := NewDecoder(Limits{One: 8 << 20, All: 8 << 20})
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := d.Header(bytes.NewReader(data))
		if err != nil {
			return
		}
		_ = d.Decode(t.Context(), bytes.NewReader(data), nil, func(_ context.Context, img image.Image, _ Header) error {
			if size := img.Bounds().Size(); size.X > h.Width || size.Y > h.Height {
				t.Fatalf("decoded to %v, the header says %d×%d", size, h.Width, h.Height)
			}
			return nil
		})
	})
}
