// Package study runs campaigns of many rounds, hours of them, side by side: what maps are worth, and how well the default settings of a
// round do. The commands studio study rounds, idrid, publish and make split, studio bench recipe and studio aviary sweep read flags and print; the work is here.
//
//	campaign.go      running the experiments whose outcome is not kept yet, and keeping each outcome as it comes
//	subject.go       networks and pictures of a campaign, made ready for rounds (subject_network.go: the files; network.go: running one)
//	choose.go        which pool images are edited, in which order; hand.go, avoid.go: how a simulated annotator paints them
//	rounds.go        what maps are worth against every arm; rounds_table.go: over seeds, from the rows; rounds_markdown.go: in words
//	forecast.go      what a forecast would have said before each round, and how it turned out
//	publish.go       a study as small files, for a repository; answers.go: which class each arm answered; page: docs/studies, made of them
//	split.go         a labelled set divided for a study (split_deal.go: which picture goes into which split)
//	recipe.go        a round's defaults on many networks (recipe_round.go: one of them)
//	sweep.go         what edits are worth on the demo (sweep_point.go: which; sweep_summary.go: over seeds)
package study
