package onnx

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/abn-studio/studio/internal/manifest"
)

// The studio needs logits: it takes their softmax, and trains with cross entropy against one label. A file may have other
// outputs, such as probabilities or sigmoids. This file tells which, from the last nodes of the graph.

// ErrLogits says that an output is not logits of two classes or more. The message names the output, what it is, and what to
// export.
var ErrLogits = errors.New("no usable logits")

// ErrSigmoid is an ErrLogits for answers that sigmoids compute, and for one logit: the head is manifest.HeadSigmoid.
var ErrSigmoid = fmt.Errorf("%w", ErrLogits)

// beforeSoftmax goes back from probabilities to the logits they were computed from, past a Softmax or LogSoftmax over the classes
// (or the same written as exp, sum and division) and past nodes that reshape or clip its result. If there is no softmax, it
// returns name, with any Identity removed.
func (f *finder) beforeSoftmax(name string) string {
	logits, found := name, false
	for at := name; ; {
		n := f.index.Producer[at]
		switch {
		case n == nil:
			return logits
		case n.IsOp("LogSoftmax") && f.overClasses(n):
			logits, found = n.Input(0), true
		case n.IsOp("Softmax") && f.overClasses(n) && !found:
			logits, found = n.Input(0), true
		case n.IsOp("Exp") && !found && f.endsIn(n.Input(0), "LogSoftmax"):
		case n.IsOp("Div") && !found && f.exponentials(n) != "":
			logits, found = f.exponentials(n), true
			at = logits
			continue
		case n.IsOp("Identity") && at == logits:
			logits = n.Input(0)
		case f.keepsOrder(n):
		default:
			return logits
		}
		at = n.Input(0)
	}
}

// keepsOrder reports whether a node passes on the values of its first input, in the same order and at most clipped.
func (f *finder) keepsOrder(n *Node) bool {
	switch {
	case f.reshapes(n), n.IsOp("Clip"):
		return true
	case n.IsOp("Min", "Max"):
		return len(n.Inputs) == 2 && f.inferred.Constant(n.Input(1)) != nil
	}
	return false
}

// endsIn reports whether a value comes from an operator, with nothing after it but nodes that keepsOrder.
func (f *finder) endsIn(name, op string) bool {
	for {
		n := f.index.Producer[name]
		switch {
		case n == nil:
			return false
		case n.IsOp(op):
			return true
		case !f.keepsOrder(n):
			return false
		}
		name = n.Input(0)
	}
}

// overClasses reports whether a Softmax is one over the classes of a value (N,K) or (N,K,1,1).
func (f *finder) overClasses(n *Node) bool {
	s := f.inferred.Shape(n.Input(0))
	if len(s) != 2 && len(s) != 4 {
		return false
	}
	at, err := axis(n.AttrInt("axis", softmaxAxis(f.opset)), len(s))
	return err == nil && at == 1
}

// softmaxAxis is a Softmax's axis where it names none.
func softmaxAxis(opset int64) int64 {
	if opset < 13 {
		return 1
	}
	return -1
}

// exponentials is z where a Div is exp(z)/Σexp(z) over the classes, else "".
func (f *finder) exponentials(n *Node) string {
	e := f.index.Producer[n.Input(0)]
	if e == nil || !e.IsOp("Exp") || !f.isSumOf(n.Input(1), n.Input(0)) {
		return ""
	}
	return e.Input(0)
}

// isSumOf reports whether a value is the sum of another's.
func (f *finder) isSumOf(name, of string) bool {
	for {
		n := f.index.Producer[name]
		switch {
		case n == nil:
			return false
		case n.IsOp("ReduceSum", "ReduceL1"):
			return n.Input(0) == of
		case !f.keepsOrder(n) && !n.IsOp("Expand") && (!n.IsOp("Add") || f.inferred.Constant(n.Input(1)) == nil):
			return false
		}
		name = n.Input(0)
	}
}

// checkLogits refuses an output that is not logits of two classes or more. what is its name in the message, such as "perception
// logits"; field is the manifest's field for it.
func (f *finder) checkLogits(what, field, name string) error {
	if s := f.inferred.Shape(name); len(s) >= 2 && s[1] == Fixed(1) {
		return oneLogit(what, name)
	}
	kind, head := f.kindOf(name, false)
	switch {
	case kind == "":
		return nil
	case head == manifest.HeadSigmoid:
		return fmt.Errorf("%w: the %s %q are none: %s, so %s. Where just one class is right, export what goes into the sigmoid, or name that value in the manifest's names.%s",
			ErrSigmoid, what, name, kind, manifest.SeveralLabels, field)
	}
	return fmt.Errorf("%w: the %s %q are none: %s. Export what goes into it where just one class is right (of a mean of softmaxes the mean of the logits), or name that value in the manifest's names.%s", ErrLogits, what, name, kind, field)
}

// oneLogit refuses answers of one number a picture, (N,1) or (N).
func oneLogit(what, name string) error {
	return fmt.Errorf("%w: the %s %q are %s", ErrSigmoid, what, name, manifest.OneLogit)
}

// kindOf says what a value is if it is not logits, and "" if it may be logits. logged: the value goes through a Log.
// Probabilities that add up to 1 count as logits then, since the softmax of their logarithm gives them back. head is
// manifest.HeadSigmoid if sigmoids compute the value, else "".
func (f *finder) kindOf(name string, logged bool) (kind, head string) {
	for {
		n := f.index.Producer[name]
		if n == nil {
			return "", ""
		}
		switch {
		case f.isSigmoid(n):
			return fmt.Sprintf("%v makes probabilities of each class by itself", n), manifest.HeadSigmoid
		case n.IsOp("Softmax") && logged && f.overClasses(n):
			return "", ""
		case n.IsOp("Softmax"):
			return fmt.Sprintf("%v makes probabilities, of which another softmax is taken or not over the classes", n), ""
		case n.IsOp("Hardmax", "ArgMax", "OneHot"):
			return fmt.Sprintf("%v leaves the choice alone", n), ""
		case n.IsOp("Div") && f.isSumOf(n.Input(1), n.Input(0)) && !logged:
			return fmt.Sprintf("%v makes shares of them that add up to 1", n), ""
		case n.IsOp("Concat"):
			for _, in := range n.Inputs {
				if kind, head := f.kindOf(in, logged); kind != "" {
					return kind, head
				}
			}
			return "", ""
		case n.IsOp("Sub") && f.inferred.Constant(n.Input(0)) != nil: // 1−p beside p
			name = n.Input(1)
			continue
		case n.IsOp("Log"):
			logged = true
		case f.keepsOrder(n), n.IsOp("ReduceMean", "ReduceMax", "GlobalAveragePool", "GlobalMaxPool", "Transpose", "Gather", "GatherElements", "GatherND", "Slice", "Split", "Cast", "Pad"):
		case n.IsOp("Mul", "Add") && f.changesNothing(n) != "":
			name = f.changesNothing(n)
			continue
		case n.IsOp("Div", "Pow") && f.isOne(n.Input(1)), n.IsOp("Sub") && f.isZero(n.Input(1)):
		case n.IsOp("If"):
			return f.kindOfBranches(n, name, logged)
		default:
			return "", ""
		}
		name = n.Input(0)
	}
}

// changesNothing returns the other input if a node multiplies by ones or adds zeros, else "".
func (f *finder) changesNothing(n *Node) string {
	neutral := f.isOne
	if n.IsOp("Add") {
		neutral = f.isZero
	}
	for _, in := range n.Inputs {
		if neutral(in) {
			return otherInput(n, in)
		}
	}
	return ""
}

// kindOfBranches is kindOf for an output of an If: it looks into both branches.
func (f *finder) kindOfBranches(n *Node, name string, logged bool) (kind, head string) {
	at := slices.Index(n.Outputs, name)
	for _, a := range n.Attributes {
		if a.Graph == nil || at < 0 || at >= len(a.Graph.Outputs) {
			continue
		}
		inside := *f
		inside.index = a.Graph.Index()
		producer := maps.Clone(f.index.Producer) // a branch reads what the graph around it makes
		maps.Copy(producer, inside.index.Producer)
		inside.index.Producer = producer
		if kind, head := inside.kindOf(a.Graph.Outputs[at].Name, logged); kind != "" {
			return kind, head
		}
	}
	return "", ""
}

// isSigmoid reports whether a node makes sigmoids, also as 1/(1+exp(−x)).
func (f *finder) isSigmoid(n *Node) bool {
	if n.IsOp("Sigmoid", "HardSigmoid") {
		return true
	}
	var below string
	switch {
	case n.IsOp("Reciprocal"):
		below = n.Input(0)
	case n.IsOp("Div") && f.isOne(n.Input(0)):
		below = n.Input(1)
	default:
		return false
	}
	sum := f.index.Producer[below]
	return sum != nil && sum.IsOp("Add") && slices.ContainsFunc(sum.Inputs, func(in string) bool {
		e := f.index.Producer[in]
		return e != nil && e.IsOp("Exp") && f.isOne(otherInput(sum, in))
	})
}
