//! What a compiled program may not do: call what is not on the list, recurse, multiply without bound.
//!
//! The library stops a program between instructions only, and follows calls on the thread's own stack; so what one
//! instruction may cost, and how deep calls go, must be bounded before it runs.
use crate::fault::Fault;
use crate::guard;
use regorus::Value;
use regorus::rvm::Instruction;
use regorus::rvm::instructions::{BuiltinCallParams, LiteralOrRegister};
use regorus::rvm::program::{BuiltinInfo, Program, RuleType};

/// How deep rules may call each other.
pub const DEPTH_MAX: usize = 32;

/// Checks a program and puts guards into it.
pub fn check(program: &mut Program, text: &str) -> Result<(), Fault> {
    if program.has_host_await {
        return Err(Fault::new("a policy cannot wait for its host"));
    }
    guard_builtins(program, text)?;
    guard_products(program);
    one_value(program, text)?;
    depth(program)
}

/// Every builtin that is called must be on the list; each is replaced by its guarded form.
fn guard_builtins(program: &mut Program, text: &str) -> Result<(), Fault> {
    for index in 0..program.builtin_info_table.len() {
        let name = program.builtin_info_table[index].name.clone();
        let Some(guarded) = guard::guarded(&name) else {
            return Err(refused(program, index, &name, text));
        };
        match program.resolved_builtins.get_mut(index) {
            Some(resolved) => *resolved = guarded,
            None => program.resolved_builtins.push(guarded),
        }
    }
    Ok(())
}

fn refused(program: &Program, builtin: usize, name: &str, text: &str) -> Fault {
    let words = format!(
        "function {name} is not there for policies: {}",
        guard::why_not(name)
    );
    let calls = |instruction: &Instruction| match instruction {
        Instruction::BuiltinCall { params_index } => {
            let params = program
                .instruction_data
                .get_builtin_call_params(*params_index);
            params.is_some_and(|params| usize::from(params.builtin_index) == builtin)
        }
        _ => false,
    };
    let at = program.instructions.iter().position(calls);
    let span = at.and_then(|at| program.instruction_spans.get(at)?.as_ref());
    match span {
        Some(span) => Fault::at(words, text, span.line, span.column),
        None => Fault::new(words),
    }
}

/// Numbers have no bound in Rego, and a product of two is as long as both: squared forty times, one is larger than any
/// memory. So each multiplication becomes a call that looks at its factors first.
fn guard_products(program: &mut Program) {
    let has_products = program
        .instructions
        .iter()
        .any(|instruction| matches!(instruction, Instruction::Mul { .. }));
    if !has_products {
        return;
    }
    let builtin_index = program.add_builtin_info(BuiltinInfo {
        name: guard::PRODUCT.to_owned(),
        num_args: 2,
    });
    program.resolved_builtins.push(guard::product());
    for at in 0..program.instructions.len() {
        let Instruction::Mul { dest, left, right } = program.instructions[at] else {
            continue;
        };
        let params = BuiltinCallParams {
            dest,
            builtin_index,
            num_args: 2,
            args: [left, right, 0, 0, 0, 0, 0, 0],
        };
        let params_index = program.add_builtin_call_params(params);
        program.instructions[at] = Instruction::BuiltinCall { params_index };
    }
}

/// A rule that could have two values at once is undefined in the library's machine when it has, and what is undefined
/// denies nothing. Elsewhere that is an error; here it must not be written.
fn one_value(program: &Program, text: &str) -> Result<(), Fault> {
    for rule in &program.rule_infos {
        let collects = matches!(
            rule.rule_type,
            RuleType::PartialSet | RuleType::PartialObject
        ) && rule.function_info.is_none();
        if collects || rule.definitions.len() < 2 || rule.early_exit_on_first_success {
            continue;
        }
        let name = rule.name.trim_start_matches("data.fleet.");
        let words = format!(
            "{name} could have two values at once; write it as one rule with `else`, so that the first that holds counts"
        );
        let second = rule.definitions.get(1).and_then(|bodies| bodies.first());
        let span = second.and_then(|at| program.instruction_spans.get(*at as usize)?.as_ref());
        return Err(match span {
            Some(span) => Fault::at(words, text, span.line, span.column),
            None => Fault::new(words),
        });
    }
    Ok(())
}

/// Finds circles of calls, and chains that are too long.
fn depth(program: &Program) -> Result<(), Fault> {
    let calls = calls(program)?;
    // 0: not looked at; otherwise how deep it goes, and one more.
    let mut depths = vec![0usize; calls.len()];
    let mut path = Vec::new();
    for rule in 0..calls.len() {
        descend(program, &calls, rule, &mut depths, &mut path)?;
    }
    Ok(())
}

fn descend(
    program: &Program,
    calls: &[Vec<usize>],
    rule: usize,
    depths: &mut [usize],
    path: &mut Vec<usize>,
) -> Result<usize, Fault> {
    if depths[rule] > 0 {
        return Ok(depths[rule]);
    }
    let name = |rule: usize| {
        let name = &program.rule_infos[rule].name;
        name.trim_start_matches("data.fleet.").to_owned()
    };
    if let Some(at) = path.iter().position(|other| *other == rule) {
        let mut circle: Vec<String> = path[at..].iter().map(|rule| name(*rule)).collect();
        circle.push(name(rule));
        let words = format!("rules call each other in a circle: {}", circle.join(" → "));
        return Err(Fault::new(words));
    }
    let too_deep = || Fault::new(format!("rules call each other more than {DEPTH_MAX} deep"));
    if path.len() >= DEPTH_MAX {
        return Err(too_deep());
    }
    path.push(rule);
    let mut depth = 1;
    for called in &calls[rule] {
        depth = depth.max(1 + descend(program, calls, *called, depths, path)?);
    }
    path.pop();
    if depth > DEPTH_MAX {
        return Err(too_deep());
    }
    depths[rule] = depth;
    Ok(depth)
}

/// Which rules each rule calls.
fn calls(program: &Program) -> Result<Vec<Vec<usize>>, Fault> {
    let mut calls = vec![Vec::new(); program.rule_infos.len()];
    let mut current = None;
    for instruction in &program.instructions {
        let called: Vec<usize> = match instruction {
            Instruction::RuleInit { rule_index, .. } => {
                current = Some(usize::from(*rule_index));
                continue;
            }
            // What stands between two rules, such as how arguments are taken apart, belongs to either; a call from there
            // counts for the one before, which is the same rule's body.
            Instruction::RuleReturn {} => continue,
            Instruction::CallRule { rule_index, .. } => vec![usize::from(*rule_index)],
            Instruction::FunctionCall { params_index } => program
                .instruction_data
                .get_function_call_params(*params_index)
                .map(|params| usize::from(params.func_rule_index))
                .into_iter()
                .collect(),
            Instruction::VirtualDataDocumentLookup { params_index } => {
                looked_up(program, *params_index)?
            }
            _ => continue,
        };
        if let Some(current) = current
            && let Some(calls) = calls.get_mut(current)
        {
            calls.extend(called);
        }
    }
    Ok(calls)
}

/// The rules that a reference into `data` may run.
fn looked_up(program: &Program, params_index: u16) -> Result<Vec<usize>, Fault> {
    let params = &program.instruction_data.virtual_data_document_lookup_params;
    let Some(params) = params.get(usize::from(params_index)) else {
        return Ok(Vec::new());
    };
    let mut tree = &program.rule_tree["data"];
    for component in &params.path_components {
        match tree {
            Value::Object(_) => {}
            _ => break,
        }
        match component {
            LiteralOrRegister::Literal(index) => match program.literals.get(usize::from(*index)) {
                Some(key) => tree = &tree[key],
                None => return Ok(Vec::new()),
            },
            LiteralOrRegister::Register(_) => {
                let words = "it looks up rules by a name that is worked out; write the rule's name";
                return Err(Fault::new(words));
            }
        }
    }
    let mut rules = Vec::new();
    let mut open = vec![tree];
    while let Some(tree) = open.pop() {
        match tree {
            Value::Number(index) => rules.extend(index.as_u64().map(|index| index as usize)),
            Value::Object(below) => open.extend(below.iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    Ok(rules)
}
