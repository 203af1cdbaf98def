package gorgonia

import (
	"fmt"
	"math"
	"sync"

	"gorgonia.org/tensor"

	G "gorgonia.org/gorgonia"

	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
)

// windows is how a window moves over the two spatial axes (height, width) of [N, C, H, W].
type windows struct {
	n, c                          int
	in, out                       [2]int
	kernel, stride, dilation, pad [2]int // pad is the padding before; behind, zeros are added as far as windows reach
	after                         [2]int // declared padding behind, which average pools may count
}

// windowsOf reads a node's attributes; kernel is used where it has no kernel_shape.
func windowsOf(n *onnx.Node, x, y []int, kernel []int64) (windows, error) {
	if len(x) != 4 || len(y) != 4 {
		return windows{}, fmt.Errorf("its input has shape %v: windows move over two axes here", x)
	}
	w := windows{n: x[0], c: x[1], in: [2]int(x[2:]), out: [2]int(y[2:])}
	kernel = n.AttrInts("kernel_shape", kernel...)
	strides, dilations, pads := n.AttrInts("strides", 1, 1), n.AttrInts("dilations", 1, 1), n.AttrInts("pads", 0, 0, 0, 0)
	if len(kernel) != 2 || len(strides) != 2 || len(dilations) != 2 || len(pads) != 4 {
		return windows{}, fmt.Errorf("its window's attributes do not fit two axes")
	}
	for i := range 2 {
		w.kernel[i], w.stride[i], w.dilation[i] = int(kernel[i]), int(strides[i]), int(dilations[i])
		w.pad[i], w.after[i] = int(pads[i]), int(pads[2+i])
	}
	switch pad := n.AttrStr("auto_pad", "NOTSET"); pad {
	case "NOTSET", "":
	case "VALID":
		w.pad, w.after = [2]int{}, [2]int{}
	case "SAME_UPPER", "SAME_LOWER":
		for i := range 2 {
			reach := (w.kernel[i]-1)*w.dilation[i] + 1
			total := max((w.out[i]-1)*w.stride[i]+reach-w.in[i], 0)
			w.pad[i], w.after[i] = total/2, total-total/2
			if pad == "SAME_LOWER" {
				w.pad[i], w.after[i] = w.after[i], w.pad[i]
			}
		}
	default:
		return windows{}, fmt.Errorf("auto_pad is %q", pad)
	}
	return w, nil
}

func (w windows) points() int { return w.kernel[0] * w.kernel[1] }
func (w windows) cells() int  { return w.out[0] * w.out[1] }

// span returns the outputs [low, high) along an axis for which kernel element k lies inside the input.
func (w windows) span(axis, k int) (low, high int) {
	offset := k*w.dilation[axis] - w.pad[axis] // input = output·stride + offset
	s := w.stride[axis]
	if offset < 0 {
		low = (-offset + s - 1) / s
	}
	if last := w.in[axis] - 1 - offset; last >= 0 {
		high = min(last/s+1, w.out[axis])
	}
	return min(low, high), high
}

// visit calls run for channel c of every image, kernel element k and row of outputs, with the count outputs of that row for which
// the element lies inside the input. row is the row c·points + k of the column matrix and to the first output's index in that row.
// from is the index in x [N,C,H,W] of the value that the first output reads; each further output reads stride[1] values on.
func (w windows) visit(c int, run func(row, to, from, count int)) {
	for ky := range w.kernel[0] {
		top, bottom := w.span(0, ky)
		for kx := range w.kernel[1] {
			left, right := w.span(1, kx)
			if left == right {
				continue
			}
			row := c*w.points() + ky*w.kernel[1] + kx
			for n := range w.n {
				for oy := top; oy < bottom; oy++ {
					iy := oy*w.stride[0] + ky*w.dilation[0] - w.pad[0]
					ix := left*w.stride[1] + kx*w.dilation[1] - w.pad[1]
					run(row, n*w.cells()+oy*w.out[1]+left, ((n*w.c+c)*w.in[0]+iy)*w.in[1]+ix, right-left)
				}
			}
		}
	}
}

// columns lays the windows of [N, C, H, W] side by side: [C·k, N·h·w], zeros where they reach past the input.
func (w windows) columns() *linearMap {
	width, s := w.n*w.cells(), w.stride[1]
	return newLinearMap("columns", []int{w.n, w.c, w.in[0], w.in[1]}, []int{w.c * w.points(), width},
		func(y, x []float32) {
			engine.OnAllCores(w.c, func(c int) {
				w.visit(c, func(row, to, from, count int) {
					dst := y[row*width+to:][:count]
					if s == 1 {
						copy(dst, x[from:from+count])
						return
					}
					for i := range dst {
						dst[i] = x[from+i*s]
					}
				})
			})
		},
		func(x, y []float32) {
			engine.OnAllCores(w.c, func(c int) {
				w.visit(c, func(row, to, from, count int) {
					for i, v := range y[row*width+to:][:count] {
						x[from+i*s] += v
					}
				})
			})
		})
}

// averages is the mean over every window. counted are the elements a window is divided by: those inside the
// input, or with includePad those inside the declared padding too.
func (w windows) averages(includePad bool) *linearMap {
	counted := func(axis, o int) (count int) {
		low, high := 0, w.in[axis]
		if includePad {
			low, high = -w.pad[axis], w.in[axis]+w.after[axis]
		}
		for k := range w.kernel[axis] {
			if at := o*w.stride[axis] - w.pad[axis] + k*w.dilation[axis]; at >= low && at < high {
				count++
			}
		}
		return count
	}
	sharesOf := sync.OnceValue(func() []float32 {
		shares := make([]float32, w.cells())
		for oy := range w.out[0] {
			for ox := range w.out[1] {
				shares[oy*w.out[1]+ox] = 1 / float32(counted(0, oy)*counted(1, ox))
			}
		}
		return shares
	})
	s := w.stride[1]
	place := func(c, to int) (at, cell int) { // of an output in [N, C, h, w]
		n, cell := to/w.cells(), to%w.cells()
		return (n*w.c+c)*w.cells() + cell, cell
	}
	return newLinearMap("averages", []int{w.n, w.c, w.in[0], w.in[1]}, []int{w.n, w.c, w.out[0], w.out[1]},
		func(y, x []float32) {
			shares := sharesOf()
			engine.OnAllCores(w.c, func(c int) {
				w.visit(c, func(_, to, from, count int) {
					at, cell := place(c, to)
					for i := range count {
						y[at+i] += shares[cell+i] * x[from+i*s]
					}
				})
			})
		},
		func(x, y []float32) {
			shares := sharesOf()
			engine.OnAllCores(w.c, func(c int) {
				w.visit(c, func(_, to, from, count int) {
					at, cell := place(c, to)
					for i := range count {
						x[from+i*s] += shares[cell+i] * y[at+i]
					}
				})
			})
		})
}

// maxima is the largest element of every window; the gradient goes to the first of several equal ones.
type maxima struct {
	ownOp
	w windows
}

func newMaxima(w windows) *maxima {
	return &maxima{newOwnOp("maxima", tensor.Shape{w.n, w.c, w.out[0], w.out[1]}, tensor.Shape{w.n, w.c, w.in[0], w.in[1]}), w}
}

// places are the largest elements' places in x, one for every output; -1 for a window outside the input.
func (w windows) places(x []float32) []int {
	places := make([]int, w.n*w.c*w.cells())
	engine.OnAllCores(w.n*w.c, func(plane int) {
		base := plane * w.in[0] * w.in[1]
		for oy := range w.out[0] {
			for ox := range w.out[1] {
				best, top := -1, float32(math.Inf(-1))
				for ky := range w.kernel[0] {
					iy := oy*w.stride[0] + ky*w.dilation[0] - w.pad[0]
					if iy < 0 || iy >= w.in[0] {
						continue
					}
					for kx := range w.kernel[1] {
						ix := ox*w.stride[1] + kx*w.dilation[1] - w.pad[1]
						if ix < 0 || ix >= w.in[1] {
							continue
						}
						if at := base + iy*w.in[1] + ix; best < 0 || x[at] > top {
							best, top = at, x[at]
						}
					}
				}
				places[plane*w.cells()+oy*w.out[1]+ox] = best
			}
		}
	})
	return places
}

// Do implements gorgonia.Op.
func (m *maxima) Do(values ...G.Value) (G.Value, error) {
	in, err := m.arguments(values)
	if err != nil {
		return nil, err
	}
	y := make([]float32, m.to.TotalSize())
	for i, at := range m.w.places(in[0]) {
		if at < 0 {
			return nil, fmt.Errorf("a window of the MaxPool lies in the padding altogether")
		}
		y[i] = in[0][at]
	}
	return m.result(y), nil
}

// DiffWRT implements gorgonia.SDOp.
func (m *maxima) DiffWRT(int) []bool { return []bool{true} }

// SymDiff implements gorgonia.SDOp.
func (m *maxima) SymDiff(in G.Nodes, _, dY *G.Node) (G.Nodes, error) {
	return applyAll(&maximaGradient{newOwnOp("maximaᵀ", m.from[0], m.from[0], m.to), m.w}, in[0], dY)
}

// maximaGradient takes the pool's input and dY.
type maximaGradient struct {
	ownOp
	w windows
}

// Do implements gorgonia.Op.
func (m *maximaGradient) Do(values ...G.Value) (G.Value, error) {
	in, err := m.arguments(values)
	if err != nil {
		return nil, err
	}
	dX := make([]float32, m.to.TotalSize())
	for i, at := range m.w.places(in[0]) {
		dX[at] += in[1][i]
	}
	return m.result(dX), nil
}
