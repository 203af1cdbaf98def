package arms

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Set are arms that a round is asked for, beside those that every round has.
type Set uint16

// None and Every are the words of no arm and of all that can be asked for.
const (
	None  = "none"
	Every = "all"
)

// UnknownError is a word that names no arm that can be asked for.
type UnknownError struct{ Word string }

func (e *UnknownError) Error() string {
	return fmt.Sprintf("%q is no arm that a round can be asked for", e.Word)
}

// SetOf returns the set of some arms; *UnknownError for one that cannot be asked for.
func SetOf[T ~string](list ...T) (s Set, err error) {
	for _, word := range list {
		i := slices.Index(Asked(), Arm(word))
		if i < 0 {
			return 0, &UnknownError{string(word)}
		}
		s |= 1 << i
	}
	return s, nil
}

// Parse reads arms apart by commas, or None, or Every.
func Parse(text string) (Set, error) {
	switch text = strings.TrimSpace(text); text {
	case "", None:
		return 0, nil
	case Every:
		return Whole(), nil
	}
	words := strings.Split(text, ",")
	for i := range words {
		words[i] = strings.TrimSpace(words[i])
	}
	return SetOf(words...)
}

// Whole is the set of all arms that can be asked for.
func Whole() Set { return 1<<len(Asked()) - 1 }

// Has reports whether a round has an arm for the set's sake: it is asked for, or follows from what is.
func (s Set) Has(arm Arm) bool {
	if k := Of(arm); k.Follows {
		return s.Has(k.Refits) && s.Has(CandidateRefit)
	}
	i := slices.Index(Asked(), arm)
	return i >= 0 && s&(1<<i) != 0
}

// Refits reports whether some arm's last layer is to be fitted anew.
func (s Set) Refits() bool {
	return slices.ContainsFunc(kinds, func(k Kind) bool { return k.Refits != "" && s.Has(k.Arm) })
}

// List has the arms, those that follow included, in the order of Kinds.
func (s Set) List() []Arm { return names(func(k Kind) bool { return s.Has(k.Arm) }) }

// asked are the arms that the set names.
func (s Set) asked() []Arm { return names(func(k Kind) bool { return k.Asked && s.Has(k.Arm) }) }

// String has the arms apart by commas, or None.
func (s Set) String() string {
	if s == 0 {
		return None
	}
	var words []string
	for _, arm := range s.asked() {
		words = append(words, string(arm))
	}
	return strings.Join(words, ",")
}

// MarshalJSON writes a list.
func (s Set) MarshalJSON() ([]byte, error) {
	list := s.asked()
	if list == nil {
		list = []Arm{}
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads a list.
func (s *Set) UnmarshalJSON(data []byte) error {
	var list []Arm
	err := json.Unmarshal(data, &list)
	if err == nil {
		*s, err = SetOf(list...)
	}
	return err
}
