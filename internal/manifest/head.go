package manifest

// How logits become an answer: what a manifest's head may say.
const (
	HeadSoftmax = "softmax" // one class of a picture is right
	HeadSigmoid = "sigmoid" // each class by itself is right or not
)

// SeveralLabels is why a network with a sigmoid head is refused, wherever that is found out.
const SeveralLabels = `several classes may hold of one picture at once ("head": "sigmoid"), and such networks are not scored or trained here: of each picture one class is right ("head": "softmax")`

// OneLogit is why a network of one logit is refused, wherever that is found out, and what to do about it.
const OneLogit = `one logit ("head": "sigmoid" for two classes), which a softmax makes 100% of whatever the picture: export two classes, torch.cat([torch.zeros_like(x), x], 1) of the logit x (N,1) before its sigmoid, which gives the same probabilities`

// CheckHead refuses heads that are not served. The error is an *Error.
func (m Manifest) CheckHead() error {
	switch m.Head {
	case "", HeadSoftmax:
		return nil
	case HeadSigmoid:
		return &Error{"head", SeveralLabels}
	}
	return wrong("head", "%q, want %s or %s", m.Head, HeadSoftmax, HeadSigmoid)
}

// HeadOf is how this manifest's network answers, HeadSoftmax where it does not say.
func (m Manifest) HeadOf() string {
	if m.Head == "" {
		return HeadSoftmax
	}
	return m.Head
}
