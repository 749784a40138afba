//! One running node: wires the layers together and owns every task.
