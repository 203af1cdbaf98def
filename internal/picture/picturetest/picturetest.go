// Package picturetest writes pictures that are small as files and large when they are decoded, for tests.
package picturetest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// JPEG describes a JPEG of one colour.
type JPEG struct {
	Width, Height int
	Progressive   bool
	Sampling      []byte // per component, as in the frame header: 0x11, 0x22; default 4:4:4
	Passes        int    // further scans, of one coefficient each, that change nothing; progressive only
}

// Encode writes it: one bit for each block of each component.
func (j JPEG) Encode() []byte {
	if j.Sampling == nil {
		j.Sampling = []byte{0x11, 0x11, 0x11}
	}
	var b bytes.Buffer
	put := func(marker byte, body ...byte) {
		b.Write([]byte{0xff, marker})
		_ = binary.Write(&b, binary.BigEndian, uint16(len(body)+2))
		b.Write(body)
	}
	b.Write([]byte{0xff, 0xd8})
	put(0xe0, []byte("JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")...)
	put(0xdb, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...)
	frame := []byte{8, byte(j.Height >> 8), byte(j.Height), byte(j.Width >> 8), byte(j.Width), byte(len(j.Sampling))}
	across, down := 1, 1
	for i, s := range j.Sampling {
		frame = append(frame, byte(i+1), s, 0)
		if len(j.Sampling) > 1 {
			across, down = max(across, int(s>>4)), max(down, int(s&15))
		}
	}
	sof := byte(0xc0)
	if j.Progressive {
		sof = 0xc2
	}
	put(sof, frame...)
	if len(j.Sampling) == 4 {
		put(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x00")...)
	}
	// DC: the code 0 is "no difference". AC: 0 ends a block, 10 ends 2¹⁴ to 2¹⁵−1 of them (with 14 bits).
	put(0xc4, append([]byte{0x00, 1}, append(make([]byte, 15), 0)...)...)
	put(0xc4, append([]byte{0x10, 1, 1}, append(make([]byte, 14), 0x00, 0xe0)...)...)
	scan := []byte{byte(len(j.Sampling))}
	blocks := 0
	for i, s := range j.Sampling {
		scan = append(scan, byte(i+1), 0)
		h, v := int(s>>4), int(s&15)
		if len(j.Sampling) == 1 {
			h, v = 1, 1
		}
		blocks += h * v
	}
	units := (j.Width + 8*across - 1) / (8 * across) * ((j.Height + 8*down - 1) / (8 * down))
	bits := blocks * units
	if j.Progressive {
		put(0xda, append(scan, 0, 0, 0)...)
	} else {
		put(0xda, append(scan, 0, 63, 0)...)
		bits *= 2
	}
	b.Write(make([]byte, bits/8+1))
	for range j.Passes {
		put(0xda, 1, 1, 0, 1, 1, 0)
		b.Write(runs(((j.Width + 7) / 8) * ((j.Height + 7) / 8)))
	}
	b.Write([]byte{0xff, 0xd9})
	return b.Bytes()
}

// runs ends so many blocks: as long runs as there are, each the code 10 and fourteen ones, then single ones.
func runs(blocks int) []byte {
	const longest = 1<<15 - 1
	var bits []byte
	for ; blocks >= longest; blocks -= longest {
		bits = append(bits, 1, 0)
		bits = append(bits, bytes.Repeat([]byte{1}, 14)...)
	}
	bits = append(bits, make([]byte, blocks)...)
	for len(bits)%8 != 0 {
		bits = append(bits, 1)
	}
	var out []byte
	for i := 0; i < len(bits); i += 8 {
		v := byte(0)
		for _, bit := range bits[i : i+8] {
			v = v<<1 | bit
		}
		if out = append(out, v); v == 0xff {
			out = append(out, 0)
		}
	}
	return out
}

// WebP is a lossless WebP of one colour: a few bytes whatever its size.
func WebP(width, height int) []byte {
	header := uint32(width-1) | uint32(height-1)<<14
	body := binary.LittleEndian.AppendUint32([]byte{0x2f}, header)
	bits := []byte{0, 0, 0} // no transform, no colour cache, no groups; then five simple codes of one symbol, 0
	for range 5 {
		bits = append(bits, 1, 0, 0, 0)
	}
	packed := make([]byte, (len(bits)+7)/8)
	for i, bit := range bits {
		packed[i/8] |= bit << (i % 8)
	}
	body = append(body, packed...)
	if len(body)%2 == 1 {
		body = append(body, 0)
	}
	out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+8+len(body)))
	out = append(out, "WEBPVP8L"...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(body)))
	return append(out, body...)
}

// PNGChunk puts a chunk behind a PNG's header.
func PNGChunk(png []byte, kind string, body []byte) []byte {
	const header = 8 + 12 + 13
	out := append([]byte{}, png[:header]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
	chunk := append([]byte(kind), body...)
	out = append(out, chunk...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
	return append(out, png[header:]...)
}
