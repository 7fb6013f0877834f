//! `cargo run -p fleet-fuzz --example files -- seeds FOLDER` writes the seeds of every target; `… -- TARGET FILE…` tries files.
use fleet_fuzz::TARGETS;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: files seeds FOLDER | files TARGET FILE…";

fn write(folder: &Path) -> std::io::Result<()> {
    for target in TARGETS {
        let folder = folder.join(target.name);
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().into_iter().enumerate() {
            std::fs::write(folder.join(format!("{number:03}")), seed)?;
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((what, [folder])) if what == "seeds" => write(Path::new(folder)),
        Some((what, files)) => match TARGETS.iter().find(|target| target.name == what) {
            Some(target) => files.iter().try_for_each(|file| {
                (target.run)(&std::fs::read(file)?);
                println!("{file}: nothing is wrong");
                Ok(())
            }),
            None => Err(std::io::Error::other(USAGE)),
        },
        None => Err(std::io::Error::other(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
