package onnx

import (
	"errors"
	"io"
	"slices"
	"sort"
)

// Pieces is a file put together of spans of another one and of texts between them, none of which are copied before they are read.
type Pieces struct {
	file   io.ReadSeeker
	pieces []piece
	ends   []int64 // where each piece ends
	at     int64
}

// span is from one place of a file to another.
type span struct{ at, end int64 }

func (s span) size() int64 { return s.end - s.at }

// piece is a text, or where that is nil a span of the file.
type piece struct {
	text []byte
	span
}

func (p piece) bytes() int64 {
	if p.text != nil {
		return int64(len(p.text))
	}
	return p.size()
}

// appendPiece adds a piece, as one with the last where the two are next to each other.
func appendPiece(list []piece, p piece) []piece {
	if len(list) > 0 {
		last := &list[len(list)-1]
		switch {
		case last.text == nil && p.text == nil && last.end == p.at:
			last.end = p.end
			return list
		case last.text != nil && p.text != nil:
			last.text = slices.Concat(last.text, p.text)
			return list
		}
	}
	return append(list, p)
}

func bytesOf(list []piece) (size int64) {
	for _, p := range list {
		size += p.bytes()
	}
	return size
}

func newPieces(file io.ReadSeeker, list []piece) *Pieces {
	p := &Pieces{file: file, pieces: list, ends: make([]int64, len(list))}
	var end int64
	for i, one := range list {
		end += one.bytes()
		p.ends[i] = end
	}
	return p
}

// Size is how many bytes there are.
func (p *Pieces) Size() int64 {
	if len(p.ends) == 0 {
		return 0
	}
	return p.ends[len(p.ends)-1]
}

// Read implements io.Reader.
func (p *Pieces) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	i := sort.Search(len(p.ends), func(i int) bool { return p.ends[i] > p.at })
	if i == len(p.ends) {
		return 0, io.EOF
	}
	one := p.pieces[i]
	within := p.at - (p.ends[i] - one.bytes())
	if one.text != nil {
		n := copy(b, one.text[within:])
		p.at += int64(n)
		return n, nil
	}
	if _, err := p.file.Seek(one.at+within, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := p.file.Read(b[:min(int64(len(b)), one.size()-within)])
	p.at += int64(n)
	if errors.Is(err, io.EOF) {
		if err = nil; n == 0 { // the file has become shorter
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// Seek implements io.Seeker.
func (p *Pieces) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.at
	case io.SeekEnd:
		offset += p.Size()
	}
	if offset < 0 {
		return 0, errors.New("seeking before the start of a file")
	}
	p.at = offset
	return offset, nil
}
