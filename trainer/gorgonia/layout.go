package gorgonia

import (
	"slices"
	"sync"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/abn-studio/studio/trainer/engine"
)

// spread repeats a tensor along the axes in which it has size 1, times factor. from is as long as to. Its transpose is
// factor times the sum over these axes.
func spread(from, to []int, factor float32) *linearMap {
	runs := runsOf(from, to)
	return newLinearMap("spread", from, to,
		func(y, x []float32) { spreadRuns(y, x, runs, factor) },
		func(x, y []float32) {
			sums := make([]float64, len(x))
			sumRuns(sums, y, runs)
			for i, v := range sums {
				x[i] = float32(v * float64(factor))
			}
		})
}

// total sums over the axes in which to has size 1, times factor.
func total(from, to []int, factor float32) *linearMap { return spread(to, from, factor).transpose() }

// run is a group of neighbouring axes that are all kept or all repeated.
type run struct {
	size     int
	repeated bool
	inner    int // elements of the small tensor that one step along it covers; 0 where repeated
	step     int // and of the large one
}

func runsOf(small, large []int) []run {
	var runs []run
	for i, size := range large {
		repeated := small[i] == 1 && size != 1
		if size == 1 {
			continue
		}
		if last := len(runs) - 1; last >= 0 && runs[last].repeated == repeated {
			runs[last].size *= size
			continue
		}
		runs = append(runs, run{size: size, repeated: repeated})
	}
	if len(runs) == 0 {
		runs = []run{{size: 1}}
	}
	inner, step := 1, 1
	for i := len(runs) - 1; i >= 0; i-- {
		runs[i].step = step
		step *= runs[i].size
		if !runs[i].repeated {
			runs[i].inner = inner
			inner *= runs[i].size
		}
	}
	return runs
}

func spreadRuns(large, small []float32, runs []run, factor float32) {
	r := runs[0]
	if len(runs) > 1 {
		for i := range r.size {
			spreadRuns(large[i*r.step:], small[i*r.inner:], runs[1:], factor)
		}
		return
	}
	large = large[:r.size]
	if r.repeated {
		v := factor * small[0]
		for i := range large {
			large[i] = v
		}
		return
	}
	for i, v := range small[:r.size] {
		large[i] = factor * v
	}
}

func sumRuns(small []float64, large []float32, runs []run) {
	r := runs[0]
	if len(runs) > 1 {
		for i := range r.size {
			sumRuns(small[i*r.inner:], large[i*r.step:], runs[1:])
		}
		return
	}
	if r.repeated {
		var sums [4]float64 // so that additions need not wait for each other
		rest := large[:r.size]
		for ; len(rest) >= 4; rest = rest[4:] {
			sums[0] += float64(rest[0])
			sums[1] += float64(rest[1])
			sums[2] += float64(rest[2])
			sums[3] += float64(rest[3])
		}
		for _, v := range rest {
			sums[0] += float64(v)
		}
		small[0] += sums[0] + sums[1] + sums[2] + sums[3]
		return
	}
	for i, v := range large[:r.size] {
		small[i] += float64(v)
	}
}

// imagesFirst turns [O, N·cells] into [N, O, …], whose cells are cells.
func imagesFirst(o, n, cells int, to []int) *linearMap {
	return newLinearMap("images first", []int{o, n * cells}, to,
		func(y, x []float32) {
			engine.OnAllCores(o, func(i int) {
				for j := range n {
					copy(y[(j*o+i)*cells:][:cells], x[(i*n+j)*cells:][:cells])
				}
			})
		},
		func(x, y []float32) {
			engine.OnAllCores(o, func(i int) {
				for j := range n {
					copy(x[(i*n+j)*cells:][:cells], y[(j*o+i)*cells:][:cells])
				}
			})
		})
}

// gather is y_i = x_{places[i]}, 0 where a place is -1.
func gather(name string, from, to []int, places func() []int32) *linearMap {
	return newLinearMap(name, from, to,
		func(y, x []float32) {
			for i, at := range places() {
				if at >= 0 {
					y[i] = x[at]
				}
			}
		},
		func(x, y []float32) {
			for i, at := range places() {
				if at >= 0 {
					x[at] += y[i]
				}
			}
		})
}

// placesOf calls source for every element of to, with its index along each axis, for its place in from; ok is false for an
// element that is 0. The slices are reused between calls. The places are computed when they are first needed: checking what can
// be trained needs none.
func placesOf(from, to []int, source func(index, at []int) (ok bool)) func() []int32 {
	return sync.OnceValue(func() []int32 { return placesNow(from, to, source) })
}

func placesNow(from, to []int, source func(index, at []int) (ok bool)) []int32 {
	places := make([]int32, tensor.Shape(to).TotalSize())
	index, at := make([]int, len(to)), make([]int, len(from))
	for i := range places {
		places[i] = -1
		if source(index, at) {
			flat := 0
			for axis, a := range at {
				flat = flat*from[axis] + a
			}
			places[i] = int32(flat)
		}
		for axis := len(to) - 1; axis >= 0; axis-- {
			if index[axis]++; index[axis] < to[axis] {
				break
			}
			index[axis] = 0
		}
	}
	return places
}

// transposition is ONNX's Transpose: axis i of the result is axis order[i] of the input.
func transposition(from, order []int) *linearMap {
	to := make([]int, len(from))
	for i, axis := range order {
		to[i] = from[axis]
	}
	return gather("transposition", from, to, placesOf(from, to, func(index, at []int) bool {
		for i, axis := range order {
			at[axis] = index[i]
		}
		return true
	}))
}

// cut takes elements start, start+step, … of every axis.
func cut(from, start, step, count []int) *linearMap {
	return gather("cut", from, count, placesOf(from, count, func(index, at []int) bool {
		for i, o := range index {
			at[i] = start[i] + o*step[i]
		}
		return true
	}))
}

// placed is x in a larger tensor of zeros, moved by before; what falls outside is lost.
func placed(from, to, before []int) *linearMap {
	return gather("placed", from, to, placesOf(from, to, func(index, at []int) bool {
		for i, o := range index {
			if at[i] = o - before[i]; at[i] < 0 || at[i] >= from[i] {
				return false
			}
		}
		return true
	}))
}

// placedAlong is x in a larger tensor of zeros, from start on along an axis and all of every other.
func placedAlong(from, to []int, axis, start int) *linearMap {
	inner := tensor.Shape(to[axis+1:]).TotalSize()
	if axis+1 == len(to) {
		inner = 1
	}
	block, stride := from[axis]*inner, to[axis]*inner
	return newLinearMap("placed along", from, to,
		func(y, x []float32) {
			for i := 0; i*block < len(x); i++ {
				copy(y[i*stride+start*inner:][:block], x[i*block:])
			}
		},
		func(x, y []float32) {
			for i := 0; i*block < len(x); i++ {
				copy(x[i*block:][:block], y[i*stride+start*inner:])
			}
		})
}

// joined puts tensors one behind the other along an axis: the sum of parts, each of which writes its own place.
type joined struct {
	ownOp
	parts []*linearMap
}

func newJoined(shapes [][]int, to []int, axis int) *joined {
	j := &joined{ownOp: newOwnOp("joined", to)}
	start := 0
	for _, s := range shapes {
		j.parts = append(j.parts, placedAlong(s, to, axis, start))
		j.from = append(j.from, s)
		start += s[axis]
	}
	return j
}

// Do implements gorgonia.Op.
func (j *joined) Do(values ...G.Value) (G.Value, error) {
	in, err := j.arguments(values)
	if err != nil {
		return nil, err
	}
	y := make([]float32, j.to.TotalSize())
	for i, part := range j.parts {
		part.apply(y, in[i])
	}
	return j.result(y), nil
}

// DiffWRT implements gorgonia.SDOp.
func (j *joined) DiffWRT(inputs int) []bool { return slices.Repeat([]bool{true}, inputs) }

// SymDiff implements gorgonia.SDOp.
func (j *joined) SymDiff(_ G.Nodes, _, dY *G.Node) (G.Nodes, error) {
	var out G.Nodes
	for _, part := range j.parts {
		dX, err := G.ApplyOp(part.transpose(), dY)
		if err != nil {
			return nil, err
		}
		out = append(out, dX)
	}
	return out, nil
}
