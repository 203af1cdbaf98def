// Package recipe says what a training's settings may be: the words, the bounds, the defaults, and the rules between two of
// them. The form, the API's schema, the command line and the trainer read them here, so that what one of them takes no other
// refuses, and a refusal has the same words everywhere.
//
// A number is what it says: 0 is used where 0 is in bounds and refused where it is not, and never stands for the default.
// What the studio is to choose is asked for by the word auto, or by leaving the setting out.
package recipe
