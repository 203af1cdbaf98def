package annotator

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/text"
)

// This file has the rules for images that several people paint, each in a slot of their own: which images, who may paint which slot, and
// who sees whose map meanwhile. adopting.go has what becomes of the maps.

// Overlap says which of a project's images several people paint without seeing each other's maps.
type Overlap struct {
	Share    int   `json:"share" minimum:"0" maximum:"100" doc:"Per cent of the images given out. 0: every image is painted by one person."`
	Painters int   `json:"painters" minimum:"2" maximum:"5" doc:"How many people paint such an image."`
	Seed     int64 `json:"seed" doc:"Of the hash that decides which images these are."`
}

// How many people paint an image of the overlap, at least and at most; tasks_slot in migration 48 holds the database to it.
const (
	MinPainters = 2
	MaxPainters = 5
)

// NoOverlap is what a new project has.
func NoOverlap() Overlap { return Overlap{Painters: MinPainters, Seed: 1} }

// check refuses an overlap that is none.
func (o Overlap) check() error {
	switch {
	case o.Share < 0 || o.Share > 100:
		return &ValidationError{Field: "overlap.share", Message: "is between 0 and 100 per cent"}
	case o.Painters < MinPainters || o.Painters > MaxPainters:
		return &ValidationError{Field: "overlap.painters", Message: fmt.Sprintf("is between %s and %s people", text.Count(MinPainters), text.Count(MaxPainters))}
	}
	return nil
}

// String says it in words: "10 % painted by 2 people".
func (o Overlap) String() string {
	if o.Share == 0 {
		return "every image painted by one person"
	}
	return fmt.Sprintf("%d %% of images painted by %s people each (seed %d)", o.Share, text.Count(o.Painters), o.Seed)
}

// Covers reports whether an image is one that several people paint. It goes by the image and not by its task, since a task is made anew
// with every version that is scanned, and so that all tasks of an image agree. An image that is covered at a share is covered at every
// larger one.
func (o Overlap) Covers(imageID int64) bool { return lot(o.Seed, "overlap", o.Share, imageID) }

// lot draws by a hash of a seed, of what is drawn for, and of numbers: true for about share per cent of the numbers, and always the same.
func lot(seed int64, what string, share int, of ...int64) bool {
	text := binary.BigEndian.AppendUint64([]byte(what), uint64(seed))
	for _, n := range of {
		text = binary.BigEndian.AppendUint64(text, uint64(n))
	}
	sum := sha256.Sum256(text)
	return binary.BigEndian.Uint64(sum[:])%100 < uint64(max(0, share))
}

// Among is what a task's image has of several maps by different people; zero where the image has one task alone.
type Among struct {
	Painters  int     // how many slots the image has
	Undecided bool    // the task of a slot is neither approved nor put aside
	Adopted   bool    // a map was adopted of them, and is approved
	Others    []int64 // who paints another slot than the task's own, holds it, or has it assigned
	Passed    []int64 // who put another slot aside without having drawn in it
	Judges    []int64 // who judged a map of any slot
}

// closedTo returns ErrConflict, with the reason, if the task is a slot that u does not paint: each slot of an image is for another person,
// who has judged none of the others.
func (t Task) closedTo(u User) error {
	switch {
	case t.Slot == 0:
	case t.PainterID != nil && *t.PainterID != u.ID:
		return Conflict("task %d is one of %s maps of its image by different people, and somebody has begun it", t.ID, text.Count(t.Among.Painters))
	case slices.Contains(t.Among.Others, u.ID):
		return Conflict("task %d is one of %s maps of its image by different people, and you have another of them", t.ID, text.Count(t.Among.Painters))
	case slices.Contains(t.Among.Passed, u.ID):
		return Conflict("task %d is one of %s maps of its image by different people, and you put another of them aside", t.ID, text.Count(t.Among.Painters))
	case slices.Contains(t.Among.Judges, u.ID):
		return Conflict("task %d is one of %s maps of its image by different people, and you judged another of them", t.ID, text.Count(t.Among.Painters))
	}
	return nil
}

// closedToThem is what closedTo says of u, told to somebody else.
func (t Task) closedToThem(u User, you error) error {
	switch {
	case slices.Contains(t.Among.Others, u.ID):
		return Conflict("task %d is one of several maps of its image by different people, and %s has another of them", t.ID, u.Name)
	case slices.Contains(t.Among.Passed, u.ID):
		return Conflict("task %d is one of several maps of its image by different people, and %s put another of them aside", t.ID, u.Name)
	case slices.Contains(t.Among.Judges, u.ID):
		return Conflict("task %d is one of several maps of its image by different people, and %s judged another of them", t.ID, u.Name)
	}
	return you
}

// hidesFrom reports whether u is not shown the maps of the task yet: nobody who paints one of several maps of an image sees another, and
// annotators see none but their own, until all are approved or put aside.
func (t Task) hidesFrom(u User) bool {
	if t.Slot == 0 || !t.Among.Undecided || t.by(u) || ptrOr(t.PainterID) == u.ID && u.ID != 0 {
		return false
	}
	return !u.Role.May(RoleReviewer) || slices.Contains(t.Among.Others, u.ID)
}

// adopts reports whether the task holds what was adopted of several maps.
func (t Task) adopts() bool { return t.Slot == 0 && t.Among.Painters > 0 }
