// Package trainer teaches an Attention Branch Network where to look.
//
//	L_abn = L_att + L_per                       cross entropies of ŷ_att and ŷ_per
//	L     = L_abn + L_map + L_anchor
//	L_map = γ · (1/|S|) Σ_{i∈S} ‖M′_i − M_i‖₂    S: the images of the batch that carry an approved edit
//	L_anchor = α · (1/|A|) Σ_{i∈A} ‖M°_i − M_i‖₂    A: those without one; M°: the parent's map (ours, see anchor.go)
//
// (Mitsuhara et al., arXiv 1905.03540). The norm is the unsquared L2 norm over the h·w cells, with
// 1e-12 under the root. Axes: N batch, C channels, h×w map, K classes.
//
// What is not here: what a training is asked for is internal/recipe's; trainer/sample, trainer/engine, trainer/measure and trainer/architecture, each with a map of its own.
//
//	ort_engine.go   the step as one ONNX graph on ONNX Runtime; ort_evaluation.go  the forward pass on the same parameters; ort_block_size.go  whether it has convolutions in blocks
//	step_source.go  the network that a step trains; step_graph.go  its step as a graph; step_passes.go  what a pass is; step_forward.go  the forward pass as a graph
//	step_parameters.go  which tensors a strategy trains; layer_rates.go  how fast
//	step_statistics.go  BatchNorm on batch statistics for providers that lack it
//	step_blocked.go  values in the layout that the runtime's fastest convolutions read; step_fuse.go  what one operator does there for several
//	step_simplify.go  two nodes that are one; step_survey.go  what these three look up in a graph
//	loss.go         the losses, as graph nodes
//	engine_parameters.go  an engine's parameters, from a file and from a checkpoint; engines.go  opening the engine that is asked for, or refusing a network before anything is computed
//	gorgonia_engine.go  Engine on Gorgonia, an independent second one; docs/adr/0006 says what of it is Gorgonia's
//	gorgonia_network.go, gorgonia_step.go, gorgonia_rows.go  what it trains, its losses and what a batch's rows weigh in them
//	gorgonia_builder.go  ONNX nodes to Gorgonia's, by gorgonia_rule_*.go, gorgonia_broadcast.go; gorgonia_operators.go  the table of them
//	gorgonia_op.go, gorgonia_layout.go, gorgonia_window.go, gorgonia_product.go, gorgonia_spread_product.go  operators that Gorgonia lacks, most of them linear maps with their transposes
//	gorgonia_program.go  running a Gorgonia graph
//	anchor.go       L_anchor's targets: the parent's maps of the images without an edit
//	crop.go         random resized crops of pixels and maps; crop_features.go computes their features epoch by epoch
//	augmented.go    pixels cut, mirrored and moved, for trainings from scratch
//	export.go       the trained file: its parent with other initializers
//	features.go     the features of samples; computing and keeping them is internal/features's
//	loop.go         epochs, checkpoints, cancellation; order.go, schedule.go, learning_rate.go
//	early_stopping.go  the best epoch by validation images; divergence.go  when a run has come apart; curve.go
//	checkpoint.go   a run's state by parameter name; checkpoint_files.go  written atomically, the last two and the best
//	round.go        candidate and control (round_arms.go) on which images (round_images.go), and what the maps were worth; scratch.go trains a whole network
//	inspect.go      what each engine can train of an ABN, and what keeps it from the rest
//	frozen.go       what a training of a whole network does differently where its extractor is frozen
package trainer
